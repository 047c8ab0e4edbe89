/* build.c — the build that is imported: its wheels, read and checked, and the message that announces them. */
#include "build.h"

#include "common/clerk.h"
#include "files.h"
#include "shared/file_check.h"
#include "shared/file_state.h"
#include "shared/version.h"

#include <errno.h>
#include <stdlib.h>

/* Bytes of a log: it travels in one message of at most 64 MiB, with the descriptions of the wheels. */
enum { OUTPUT_MAX = 60 << 20 };

static const char default_output[] = "Imported manually via piw-import";

/* --- What the build is --------------------------------------------------------------------------------------------- */

static int settle_package(build *b, const build_wish *wish, const piw_wheel_name *name, piw_err *err)
{
    if (wish->package != NULL)
        return clerk_check_package(wish->package, b->package, err);
    memcpy(b->package, name->canonical, sizeof(b->package));
    return 0;
}

static int settle_version(build *b, const build_wish *wish, const piw_wheel *wheel, const char *filename, piw_err *err)
{
    const char *version = wish->version != NULL ? wish->version : wheel->metadata.version;
    int rc = clerk_check_version(version, err);
    if (rc != 0 && wish->version == NULL)
        piw_err_prefix(err, "%.200s: say --package-version", filename);
    if (rc == 0)
        b->version = piw_strdup(version);
    return rc;
}

/* abi3, abi3t and sets such as cp310.cp311 are several interpreters', `none` may be all of them's: which one built it must
 * be said. */
static int settle_abi(build *b, const build_wish *wish, const piw_wheel_name *name, const char *filename, piw_err *err)
{
    if (wish->view != NULL) {
        const char *fault = wish->abi != NULL ? "the view says for which ABI it was built: leave out --abi"
                                              : piw_view_name_fault(piw_text_of(wish->view));
        if (fault != NULL)
            return piw_err_set(err, PIW_EUSAGE, "--view '%.100s': %s", wish->view, fault);
        memcpy(b->abi, wish->view, strlen(wish->view) + 1);
        return 0;
    }
    const char *abi = wish->abi != NULL ? wish->abi : name->abi;
    bool one = piw_abi_acceptable(piw_text_of(abi));
    if (!one && wish->abi != NULL)
        return piw_err_set(err, PIW_EUSAGE, "--abi '%.100s' is no ABI that wheels are built for, such as cp311", abi);
    if (!one)
        return piw_err_set(err, PIW_EREFUSED, "%.200s has the ABI tag %.50s: say with --abi which one it was built for",
                           filename, abi);
    memcpy(b->abi, abi, strlen(abi) + 1);
    return 0;
}

/* Another wheel of the build, which must be of the same release unless the user said what it is. */
static int check_same(const build *b, const build_wish *wish, const piw_wheel_name *name, const char *filename,
                      piw_err *err)
{
    if (wish->package == NULL && strcmp(name->canonical, b->package) != 0)
        return piw_err_set(err, PIW_EUSAGE, "%.200s is no wheel of %.200s, as the first file is; say --package",
                           filename, b->package);
    if (wish->version == NULL && !piw_version_matches_tag(piw_text_of(b->version), piw_text_of(name->version)))
        return piw_err_set(err, PIW_EUSAGE,
                           "%.200s is not of version %.100s, as the first file is; say "
                           "--package-version",
                           filename, b->version);
    return 0;
}

/* --- Its wheels ---------------------------------------------------------------------------------------------------- */

/* A link to a wheel is as good as the wheel; the name is the link's. */
static int find_file(build *b, const char *given, build_file **file, piw_err *err)
{
    char *path = realpath(given, NULL);
    if (path == NULL)
        return piw_err_errno(err, "%.200s", given);
    const char *slash = strrchr(given, '/');
    *file = &b->files[b->count++];
    **file = (build_file){.given = given, .path = path, .filename = piw_strdup(slash != NULL ? slash + 1 : given)};
    return 0;
}

/* What METADATA and the user's file say. */
static void add_needs(const build *b, const piw_wheel *wheel, file_state *state)
{
    needs all = {0};
    for (size_t i = 0; i < wheel->metadata.requires_count; i++)
        needs_add(&all, NEEDS_PIP, piw_text_of(wheel->metadata.requires[i]));
    for (int kind = 0; kind < NEEDS_KINDS; kind++) {
        for (size_t i = 0; i < b->needs.lists[kind].count; i++)
            needs_add(&all, (needs_kind)kind, piw_text_of(b->needs.lists[kind].at[i]));
        piw_file_state_needs(b->request, state, needs_keys[kind], all.lists[kind].at, all.lists[kind].count);
    }
    needs_fini(&all);
}

static int read_one(build *b, const build_wish *wish, const char *given, file_state *state, piw_err *err)
{
    build_file *file = NULL;
    piw_wheel_name name;
    piw_wheel wheel = {0};
    int rc = find_file(b, given, &file, err);
    rc = rc != 0 ? rc : piw_wheel_name_parse(piw_text_of(file->filename), &name, err);
    rc = rc != 0 ? rc : piw_wheel_read(file->path, file->filename, &wheel, err);
    if (rc != 0)
        return rc;
    if (b->count == 1) {
        rc = settle_package(b, wish, &name, err);
        rc = rc != 0 ? rc : settle_version(b, wish, &wheel, file->filename, err);
        rc = rc != 0 ? rc : settle_abi(b, wish, &name, file->filename, err);
    } else {
        rc = check_same(b, wish, &name, file->filename, err);
    }
    if (rc == 0) {
        file->size = wheel.filesize;
        piw_file_state_fill(b->request, state, &name, file->filename, &wheel);
        add_needs(b, &wheel, state);
    }
    piw_wheel_fini(&wheel);
    return rc;
}

static int read_output(build *b, const build_wish *wish, build_state *body, piw_err *err)
{
    piw_buffer text = {0};
    int rc = wish->output != NULL ? files_read(wish->output, OUTPUT_MAX, &text, err)
                                  : piw_buffer_add(&text, default_output, sizeof(default_output) - 1);
    piw_blob *blob = rc == 0 ? piw_blob_new(text.data, text.len) : NULL;
    if (rc == 0 && blob == NULL)
        rc = piw_err_set(err, PIW_ENOMEM, "no memory for the build's log");
    body->output = piw_msg_blob(b->request, blob);
    piw_blob_unref(&blob);
    piw_buffer_fini(&text);
    return rc;
}

int build_read(build *b, const build_wish *wish, const char *const *paths, size_t count, piw_err *err)
{
    build_state *body;
    if (count > BUILD_FILES_MAX)
        return piw_err_set(err, PIW_EUSAGE, "a build has at most %d files", BUILD_FILES_MAX);
    b->request = import_IMPORT_new(&body);
    int rc = wish->dependencies != NULL ? needs_read(wish->dependencies, &b->needs, err) : 0;
    rc = rc != 0 ? rc : read_output(b, wish, body, err);
    piw_msg_list(b->request, &body->files, count);
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = read_one(b, wish, paths[i], &body->files.at[i], err);
    /* What the master would refuse: a name that is there twice, a file that is too large. */
    rc = rc != 0 ? rc : piw_files_check(body->files.at, body->files.count, (piw_text){0}, (piw_text){0}, err);
    if (rc != 0)
        return rc;
    body->package = piw_msg_textz(b->request, b->package);
    body->version = piw_msg_textz(b->request, b->version);
    body->abi_tag = piw_msg_textz(b->request, b->abi);
    body->status = true;
    body->duration = piw_duration_from_us(wish->duration_ms * 1000);
    return piw_msg_check(b->request, err);
}

void build_fini(build *b)
{
    for (size_t i = 0; i < b->count; i++) {
        free(b->files[i].path);
        free(b->files[i].filename);
    }
    free(b->version);
    needs_fini(&b->needs);
    piw_msg_free(&b->request);
}
