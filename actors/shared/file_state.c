/* file_state.c — what is said of a wheel to a master, made from its name and its METADATA. */
#include "shared/file_state.h"

enum { KINDS = 3 }; /* apt, pip and "" */

void piw_file_state_fill(piw_msg *msg, file_state *state, const piw_wheel_name *name, const char *filename,
                         const piw_wheel *wheel)
{
    state->filename = piw_msg_textz(msg, filename);
    state->filesize = wheel->filesize;
    state->filehash = piw_msg_textz(msg, wheel->filehash);
    state->package_tag = piw_msg_textz(msg, name->package);
    state->package_version_tag = piw_msg_textz(msg, name->version);
    state->py_version_tag = piw_msg_textz(msg, name->py);
    state->abi_tag = piw_msg_textz(msg, name->abi);
    state->platform_tag = piw_msg_textz(msg, name->platform);
    state->requires_python = piw_msg_textz(msg, wheel->metadata.requires_python);
    state->location = piw_msg_textz(msg, "/simple");
    piw_msg_list(msg, &state->dependencies, KINDS);
    state->dependencies.count = 0;
}

void piw_file_state_needs(piw_msg *msg, file_state *state, const char *key, char *const *items, size_t count)
{
    uint32_t slot = state->dependencies.count++;
    state->dependencies.at[slot].key = piw_msg_textz(msg, key);
    piw_msg_list(msg, &state->dependencies.at[slot].value, count);
    for (size_t i = 0; i < count; i++)
        state->dependencies.at[slot].value.at[i] = piw_msg_textz(msg, items[i]);
}
