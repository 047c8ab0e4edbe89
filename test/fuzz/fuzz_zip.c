/* ZIP archives: every accessor, and all members that are small enough. */
#include "fuzz.h"

#include "shared/zip.h"

enum { SMALL = 1 << 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    piw_err err = {0};
    piw_zip *zip = NULL;
    int r = piw_zip_open(&zip, data, len, &err);
    fuzz_said(r, &err);
    FUZZ_HOLDS((r == 0) == (zip != NULL));
    uint64_t unpacked = 0;
    for (size_t i = 0; zip != NULL && i < piw_zip_count(zip); i++) {
        const piw_zip_entry *entry = piw_zip_at(zip, i);
        FUZZ_HOLDS(entry->name_len > 0 && entry->name[0] != '/' && memchr(entry->name, '\0', entry->name_len) == NULL);
        FUZZ_HOLDS(entry->data <= len && entry->packed_size <= len - entry->data);
        FUZZ_HOLDS(piw_zip_find(zip, entry->name, entry->name_len) == entry);
        unpacked += entry->size;
        uint8_t *bytes = NULL;
        piw_err own_err = {0};
        r = piw_zip_extract(zip, entry, SMALL, &bytes, &own_err);
        fuzz_said(r, &own_err);
        FUZZ_HOLDS((r == 0) == (bytes != NULL) && (r == 0 || r == PIW_ELIMIT || r == PIW_EREFUSED));
        FUZZ_HOLDS(bytes == NULL || bytes[entry->size] == '\0');
        free(bytes);
    }
    FUZZ_HOLDS(zip == NULL || (unpacked == piw_zip_unpacked(zip) && piw_zip_directory(zip) <= len));
    piw_zip_close(&zip);
    return 0;
}
