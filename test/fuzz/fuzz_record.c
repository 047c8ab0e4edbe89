/* RECORD of a wheel. */
#include "fuzz.h"

#include "shared/wheel_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    piw_err err = {0};
    piw_wheel_record record = {0};
    int r = piw_wheel_record_parse(data, len, &record, &err);
    fuzz_said(r, &err);
    if (r != 0)
        return 0;
    for (size_t i = 0; i < record.count; i++) {
        const piw_wheel_record_line *line = &record.lines[i];
        FUZZ_HOLDS(line->path[line->path_len] == '\0');
        FUZZ_HOLDS(line->hash_len == 0 || line->hash_len == PIW_WHEEL_RECORD_SHA256 ||
                   line->hash_len == PIW_WHEEL_RECORD_SHA384 || line->hash_len == PIW_WHEEL_RECORD_SHA512);
        FUZZ_HOLDS(piw_wheel_record_find(&record, line->path, line->path_len) == line);
    }
    piw_wheel_record_fini(&record);
    return 0;
}
