/* METADATA of a wheel. */
#include "fuzz.h"

#include "piw/codec.h"
#include "shared/metadata.h"
#include "shared/names.h"

/* A text for pages and the database: UTF-8, one line. */
static void one_line(const char *text)
{
    if (text != NULL) {
        FUZZ_HOLDS(piw_utf8_valid(text, strlen(text)) == strlen(text));
        FUZZ_HOLDS(strpbrk(text, "\r\n") == NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    piw_err err = {0};
    piw_metadata metadata = {0};
    int r = piw_metadata_parse(data, len, &metadata, &err);
    fuzz_said(r, &err);
    if (r != 0)
        return 0;
    FUZZ_HOLDS(metadata.name != NULL && metadata.version != NULL);
    one_line(metadata.name);
    one_line(metadata.version);
    one_line(metadata.summary);
    one_line(metadata.requires_python);
    FUZZ_HOLDS(metadata.requires_python == NULL ||
               piw_utf8_chars(metadata.requires_python, strlen(metadata.requires_python)) <= 200);
    for (size_t i = 0; i < metadata.requires_count; i++) {
        FUZZ_HOLDS(piw_name_is_canonical((piw_text){metadata.requires[i], (uint32_t)strlen(metadata.requires[i])}));
        FUZZ_HOLDS(i == 0 || strcmp(metadata.requires[i - 1], metadata.requires[i]) < 0);
    }
    piw_metadata_fini(&metadata);
    return 0;
}
