/* The configuration file: lines to entries, values to items. */
#include "fuzz.h"

#include "config/config_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    piw_err err = {0};
    piw__entries entries = {0};
    int r = piw__config_file_parse(&entries, "fuzz.conf", (const char *)data, len, &err);
    fuzz_said(r, &err);
    for (size_t i = 0; i < entries.count; i++) {
        FUZZ_HOLDS(entries.at[i].key[0] != '\0' && entries.at[i].section != NULL &&
                   strncmp(entries.at[i].origin, "fuzz.conf:", 10) == 0);
        char **items = NULL;
        size_t count = piw__config_items(entries.at[i].value, &items);
        for (size_t j = 0; j < count; j++)
            free(items[j]);
        free(items);
    }
    piw__entries_fini(&entries);
    return 0;
}
