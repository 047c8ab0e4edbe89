/* Versions: two lines are compared both ways, and by their keys. */
#include "fuzz.h"

#include "shared/version.h"

static int sign(int number)
{
    return (number > 0) - (number < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    piw_text texts[3] = {fuzz_line(&data, &len), fuzz_line(&data, &len), fuzz_line(&data, &len)};
    piw_version versions[3];
    for (int i = 0; i < 3; i++) {
        piw_version_parse(texts[i], &versions[i]);
        FUZZ_HOLDS(versions[i].len <= PIW_VERSION_KEY_MAX);
        FUZZ_HOLDS(versions[i].valid || !versions[i].prerelease);
        FUZZ_HOLDS(!versions[i].valid || piw_version_valid(texts[i]) || texts[i].len > PIW_VERSION_MAX);
        FUZZ_HOLDS(piw_version_compare_text(texts[i], texts[i]) == 0);
        piw_version_acceptable(texts[i]);
    }
    int ab = sign(piw_version_compare(&versions[0], &versions[1]));
    int bc = sign(piw_version_compare(&versions[1], &versions[2]));
    int ac = sign(piw_version_compare(&versions[0], &versions[2]));
    FUZZ_HOLDS(sign(piw_version_compare(&versions[1], &versions[0])) == -ab);
    FUZZ_HOLDS(ab != bc || ac == ab);
    FUZZ_HOLDS(sign(piw_version_compare_text(texts[0], texts[1])) == ab);
    piw_version_matches_tag(texts[0], texts[1]);
    return 0;
}
