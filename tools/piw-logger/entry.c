/* entry.c — the message that a line of the web server's log becomes, if any. */
#include "entry.h"

#include "shared/web_agent.h"
#include "shared/web_entry.h"

/* METHOD TARGET[ PROTOCOL]: the target of a GET, else a null text. */
static piw_text target_of(const log_line *line)
{
    piw_text request = line->fields[FIELD_REQUEST];
    if (request.s == NULL) {
        piw_text method = line->fields[FIELD_METHOD];
        return piw_text_is(method, "GET") ? line->fields[FIELD_PATH] : (piw_text){0};
    }
    if (!piw_agent_is(request, "GET "))
        return (piw_text){0};
    piw_text target = {request.s + 4, request.len - 4};
    for (uint32_t i = target.len; i > 0; i--)
        if (target.s[i - 1] == ' ') {
            piw_text protocol = {target.s + i, target.len - i};
            if (piw_agent_is(protocol, "HTTP/"))
                target.len = i - 1;
            break;
        }
    return target;
}

piw_msg *log_record_of(const log_line *line)
{
    static const piw_web_words words = {
        .download = log_LOGDOWNLOAD_new,
        .search = log_LOGSEARCH_new,
        .project = log_LOGPROJECT_new,
        .json = log_LOGJSON_new,
        .page = log_LOGPAGE_new,
    };
    piw_web_request request = {
        .target = target_of(line),
        .host = line->fields[line->fields[FIELD_ADDRESS].s != NULL ? FIELD_ADDRESS : FIELD_HOST],
        .agent = line->fields[FIELD_AGENT],
        .time = line->time,
    };
    /* "-" is how a server writes that there was none. */
    if (line->status != 200 || piw_text_is(request.agent, "-"))
        return NULL;
    return piw_web_entry(&words, &request);
}
