/* PyPI's answers to changelog_since_serial: whole, and in pieces of odd sizes, with the same events. */
#include "fuzz.h"

#include "cloud_gazer/xmlrpc.h"

static void add_up(void *arg, const gazer_event *event)
{
    uint64_t *sum = arg;
    *sum = *sum * 31 + (uint64_t)event->serial + event->name.len + event->action.len + (event->version.s == NULL);
}

static int read_all(const uint8_t *data, size_t len, size_t piece, uint64_t *sum)
{
    piw_err err = {0};
    gazer_xmlrpc *parser = gazer_xmlrpc_new(add_up, sum);
    if (parser == NULL)
        return PIW_ENOMEM;
    int rc = 0;
    for (size_t at = 0; at < len && rc == 0; at += piece)
        rc = gazer_xmlrpc_feed(parser, data + at, len - at < piece ? len - at : piece, &err);
    if (rc == 0)
        rc = gazer_xmlrpc_end(parser, &err);
    fuzz_said(rc, &err);
    FUZZ_HOLDS(gazer_xmlrpc_reset_s(parser) >= 0);
    gazer_xmlrpc_free(&parser);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    uint64_t whole = 0, pieces = 0;
    int r = read_all(data, len, len + 1, &whole);
    int again = read_all(data, len, 7, &pieces);
    FUZZ_HOLDS((r == 0) == (again == 0) && (r != 0 || whole == pieces));
    return 0;
}
