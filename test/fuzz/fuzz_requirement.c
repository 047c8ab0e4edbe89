/* Requires-Python and Requires-Dist, a line each. */
#include "fuzz.h"

#include "shared/requirement.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    piw_text specifiers = fuzz_line(&data, &len), text = fuzz_line(&data, &len);
    piw_requirement requirement;
    bool valid = piw_specifiers_valid(specifiers);
    /* A set is one when each of its parts is. */
    const char *comma = specifiers.len > 0 ? memchr(specifiers.s, ',', specifiers.len) : NULL;
    if (comma != NULL) {
        uint32_t first = (uint32_t)(comma - specifiers.s);
        FUZZ_HOLDS(valid == (piw_specifiers_valid((piw_text){specifiers.s, first}) &&
                             piw_specifiers_valid((piw_text){comma + 1, specifiers.len - first - 1})));
    }
    if (piw_requirement_parse(text, &requirement)) {
        FUZZ_HOLDS(requirement.name.len > 0 && requirement.name.s >= text.s &&
                   requirement.name.s + requirement.name.len <= text.s + text.len);
        FUZZ_HOLDS(!requirement.names_extra || memmem(text.s, text.len, "extra", 5) != NULL);
        FUZZ_HOLDS(piw_requirement_parse(requirement.name, &requirement) && !requirement.names_extra);
    }
    return 0;
}
