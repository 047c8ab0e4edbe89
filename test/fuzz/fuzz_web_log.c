/* Lines of a web server's log: the first line is a LogFormat, or empty for "combined"; the others are split by it and become
 * records. */
#include "fuzz.h"

#include "piw-logger/record.h"
#include "shared/web_log.h"

static void split_lines(const log_format *format, const uint8_t *data, size_t len)
{
    log_line line = {0};
    while (len > 0) {
        piw_text text = fuzz_line(&data, &len);
        if (log_format_split(format, text.s, text.len, &line) == NULL) {
            piw_err err = {0};
            piw_msg *msg = log_record_of(&line);
            FUZZ_HOLDS(msg == NULL || piw_msg_check(msg, &err) == 0);
            piw_msg_free(&msg);
        }
    }
    log_line_fini(&line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    piw_protocol_use(&log_protocol_def);
    char name[512];
    piw_text first = fuzz_line(&data, &len);
    snprintf(name, sizeof(name), "%.*s", (int)(first.len < sizeof(name) ? first.len : sizeof(name) - 1), first.s);
    log_format *format = NULL;
    piw_err err = {0};
    int r = log_format_parse(&format, first.len > 0 ? name : "combined", &err);
    fuzz_said(r, &err);
    if (r == 0)
        split_lines(format, data, len);
    log_format_free(&format);
    return 0;
}
