/* web_agent.c — what installers tell of themselves in their user agent. */
#include "shared/web_agent.h"

#include "shared/text.h"
#include "shared/web_log.h"

#include <cjson/cJSON.h>

/* Where in the object each is told. */
static const struct {
    const char *object, *key;
} places[PIW_FACTS] = {
    [PIW_FACT_ARCH] = {NULL, "cpu"},
    [PIW_FACT_DISTRO_NAME] = {"distro", "name"},
    [PIW_FACT_DISTRO_VERSION] = {"distro", "version"},
    [PIW_FACT_OS_NAME] = {"system", "name"},
    [PIW_FACT_OS_VERSION] = {"system", "release"},
    [PIW_FACT_PY_NAME] = {"implementation", "name"},
    [PIW_FACT_PY_VERSION] = {"implementation", "version"},
    [PIW_FACT_INSTALLER_NAME] = {"installer", "name"},
    [PIW_FACT_INSTALLER_VERSION] = {"installer", "version"},
    [PIW_FACT_SETUPTOOLS_VERSION] = {NULL, "setuptools_version"},
};

bool piw_agent_is(piw_text agent, const char *prefix)
{
    size_t len = strlen(prefix);
    return agent.s != NULL && agent.len >= len && memcmp(agent.s, prefix, len) == 0;
}

piw_text piw_agent_text(piw_msg *msg, const char *bytes, size_t len, uint32_t chars)
{
    static const char replacement[] = "\xef\xbf\xbd";
    /* What is cut off need not be looked at: a character has four bytes at most. */
    len = len < (size_t)chars * 4 ? len : (size_t)chars * 4;
    piw_buffer text = {0};
    for (size_t at = 0; at < len;) {
        size_t valid = piw_utf8_valid(bytes + at, len - at);
        piw_put_bytes(&text, bytes + at, valid);
        at += valid;
        if (at < len) {
            piw_put(&text, replacement);
            at++;
        }
    }
    piw_text made = piw_text_of("");
    if (text.len > 0) {
        char *to = piw_msg_alloc(msg, text.len * 3 + 1);
        made = (piw_text){to, (uint32_t)piw_bytes_clean(text.data, text.len, to)};
        made.len = piw_log_prefix(made, chars);
        to[made.len] = '\0';
    }
    piw_buffer_fini(&text);
    return made;
}

/* The object from the first brace to the end; NULL: there is none, or it can't be read. */
static cJSON *parse(piw_text agent)
{
    const char *brace = agent.len > 0 ? memchr(agent.s, '{', agent.len) : NULL;
    if (brace == NULL)
        return NULL;
    size_t len = agent.len - (size_t)(brace - agent.s);
    const char *end = NULL;
    cJSON *json = cJSON_ParseWithLengthOpts(brace, len, &end, false);
    for (; json != NULL && end < brace + len; end++) {
        if (strchr(" \t\r\n", *end) == NULL || *end == '\0') {
            cJSON_Delete(json);
            return NULL;
        }
    }
    return json;
}

static piw_text read_fact(piw_msg *msg, const cJSON *json, const char *object, const char *key, uint32_t chars)
{
    const cJSON *in = object != NULL ? cJSON_GetObjectItemCaseSensitive(json, object) : json;
    const char *value = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(in, key));
    return value != NULL ? piw_agent_text(msg, value, strlen(value), chars) : (piw_text){0};
}

void piw_agent_facts(piw_msg *msg, piw_text agent, piw_text facts[PIW_FACTS])
{
    cJSON *json = piw_agent_is(agent, "pip/") || piw_agent_is(agent, "uv/") ? parse(agent) : NULL;
    for (int i = 0; i < PIW_FACTS; i++)
        facts[i] = read_fact(msg, json, places[i].object, places[i].key,
                             i == PIW_FACT_INSTALLER_NAME ? PIW_LOG_INSTALLER_NAME_MAX : PIW_LOG_FACT_MAX);
    if (facts[PIW_FACT_PY_NAME].s == NULL)
        facts[PIW_FACT_PY_NAME] = piw_text_of("CPython");
    if (facts[PIW_FACT_PY_VERSION].s == NULL)
        facts[PIW_FACT_PY_VERSION] = read_fact(msg, json, NULL, "python", PIW_LOG_FACT_MAX);
    cJSON_Delete(json);
}
