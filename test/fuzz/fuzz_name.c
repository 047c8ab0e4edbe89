/* Names: of packages, aliases, Debian packages, and of wheel files. */
#include "fuzz.h"

#include "shared/names.h"
#include "shared/wheel_name.h"

static void wheel_name(piw_text text)
{
    piw_wheel_name name;
    piw_err err = {0};
    int r = piw_wheel_name_parse(text, &name, &err);
    fuzz_said(r, &err);
    FUZZ_HOLDS(r != 0 || piw_wheel_name_readable(text));
    char alias[PIW_FILENAME_MAX + 1];
    piw_wheel_name_armv6l(text, alias);
    if (r != 0)
        return;
    FUZZ_HOLDS(text.len <= PIW_FILENAME_MAX && memchr(text.s, '/', text.len) == NULL && text.s[0] != '.');
    FUZZ_HOLDS(piw_name_is_canonical((piw_text){name.canonical, (uint32_t)strlen(name.canonical)}));
    char again[PIW_FILENAME_MAX + 8];
    int length = snprintf(again, sizeof(again), "%s-%s%s%s-%s-%s-%s.whl", name.package, name.version,
                          name.build[0] != '\0' ? "-" : "", name.build, name.py, name.abi, name.platform);
    FUZZ_HOLDS((uint32_t)length == text.len && memcmp(again, text.s, text.len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    piw_text first = fuzz_line(&data, &len), second = fuzz_line(&data, &len);
    char canonical[PIW_NAME_MAX + 1], twice[PIW_NAME_MAX + 1];
    if (piw_name_canonical(first, canonical)) {
        piw_text key = {canonical, (uint32_t)strlen(canonical)};
        FUZZ_HOLDS(piw_name_canonical(key, twice) && strcmp(canonical, twice) == 0);
        FUZZ_HOLDS(piw_name_is_canonical(key) && piw_name_same(first, key));
        if (piw_alias_valid(second, key))
            FUZZ_HOLDS(piw_name_same(first, second) && memchr(second.s, '/', second.len) == NULL);
    } else {
        FUZZ_HOLDS(canonical[0] == '\0' && !piw_name_is_canonical(first));
    }
    FUZZ_HOLDS(piw_name_same(first, second) == piw_name_same(second, first));
    if (piw_name_is_debian(first))
        for (uint32_t i = 0; i < first.len; i++)
            FUZZ_HOLDS(strchr("abcdefghijklmnopqrstuvwxyz0123456789+-.:", first.s[i]) != NULL);
    wheel_name(first);
    return 0;
}
