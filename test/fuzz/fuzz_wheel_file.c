/* The file WHEEL, under names with one tag and with sets of them. */
#include "fuzz.h"

#include "shared/wheel_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const char *const names[] = {"demo-1.0-py3-none-any.whl",
                                        "demo-1.0-py2.py3-none-linux_x86_64.manylinux2014_x86_64.whl"};
    for (size_t i = 0; i < PIW_COUNT(names); i++) {
        piw_wheel_name name;
        piw_err err = {0};
        FUZZ_HOLDS(piw_wheel_name_parse(piw_text_of(names[i]), &name, NULL) == 0);
        int r = piw_wheel_file_check(data, len, &name, &err);
        fuzz_said(r, &err);
        FUZZ_HOLDS(r == 0 || r == PIW_EREFUSED || r == PIW_ENOMEM);
        FUZZ_HOLDS(r != 0 || memmem(data, len, ":", 1) != NULL);
    }
    return 0;
}
