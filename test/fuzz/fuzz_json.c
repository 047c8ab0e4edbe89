/* PyPI's JSON: the list of projects, a project's page and document, and its summary; whole and in pieces. */
#include "fuzz.h"

#include "cloud_gazer/listing.h"
#include "cloud_gazer/page.h"
#include "cloud_gazer/project.h"
#include "shared/summary.h"

#define READ_ALL(KIND, NEW, data, len, piece)                                                                          \
    gazer_##KIND *reader = NEW;                                                                                        \
    piw_err err = {0};                                                                                                 \
    int r = reader == NULL ? PIW_ENOMEM : 0;                                                                           \
    if (reader == NULL)                                                                                                \
        return r;                                                                                                      \
    for (size_t at = 0; at < (len) && r == 0; at += (piece))                                                           \
        r = gazer_##KIND##_feed(reader, (data) + at, (len)-at < (piece) ? (len)-at : (piece), &err);                   \
    if (r == 0)                                                                                                        \
        r = gazer_##KIND##_end(reader, &err);                                                                          \
    fuzz_said(r, &err)

static int listing(const uint8_t *data, size_t len, size_t piece)
{
    READ_ALL(listing, gazer_listing_new(), data, len, piece);
    size_t count = 0;
    const gazer_listed *listed = r == 0 ? gazer_listing_projects(reader, &count) : NULL;
    for (size_t i = 1; i < count; i++)
        FUZZ_HOLDS(strcmp(listed[i - 1].package, listed[i].package) < 0);
    gazer_listing_free(&reader);
    return r;
}

static int page(const uint8_t *data, size_t len, size_t piece)
{
    READ_ALL(page, gazer_page_new("demo"), data, len, piece);
    FUZZ_HOLDS(r != 0 || strlen(gazer_page_status(reader)) < 32);
    gazer_page_free(&reader);
    return r;
}

static int project(const uint8_t *data, size_t len, size_t piece)
{
    READ_ALL(project, gazer_project_new("demo"), data, len, piece);
    FUZZ_HOLDS(r != 0 || gazer_project_releases(reader) <= GAZER_RELEASES_MAX);
    gazer_project_free(&reader);
    return r;
}

static void summary(const uint8_t *data, size_t len)
{
    static piw_summary reader;
    reader = (piw_summary){0};
    for (size_t at = 0; at < len && piw_summary_feed(&reader, data + at, len - at < 5 ? len - at : 5); at += 5)
        FUZZ_HOLDS(reader.len < sizeof(reader.text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    FUZZ_HOLDS((listing(data, len, len + 1) == 0) == (listing(data, len, 3) == 0));
    FUZZ_HOLDS((page(data, len, len + 1) == 0) == (page(data, len, 3) == 0));
    FUZZ_HOLDS((project(data, len, len + 1) == 0) == (project(data, len, 3) == 0));
    summary(data, len);
    return 0;
}
