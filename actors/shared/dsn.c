/* dsn.c — database addresses, made what libpq understands. */
#include "shared/dsn.h"

#include <stdlib.h>

static const char *const prefixes[] = {"postgresql+psycopg2:", "postgresql:", "postgres:"};

char *piw_dsn_normal(const char *dsn)
{
    for (size_t i = 0; i < PIW_COUNT(prefixes); i++)
        if (strncmp(dsn, prefixes[i], strlen(prefixes[i])) == 0)
            return piw_sprintf("postgresql:%s", dsn + strlen(prefixes[i]));
    return piw_strdup(dsn);
}

bool piw_dsn_is_uri(const char *dsn)
{
    for (size_t i = 0; i < PIW_COUNT(prefixes); i++)
        if (strncmp(dsn, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    return false;
}

/* The `password` parameter, in the query of a URI or as a key of a connection string, blotted out in place. */
static void hide_parameter(char *text)
{
    for (char *at = strstr(text, "password"); at != NULL; at = strstr(at + 1, "password")) {
        char *value = at + strlen("password");
        value += strspn(value, " ");
        if (*value != '=')
            continue;
        for (value++; *value != '\0' && *value != '&' && *value != ' '; value++)
            *value = '*';
    }
}

char *piw_dsn_print(const char *dsn)
{
    char *text = piw_dsn_normal(dsn);
    char *host = strstr(text, "://");
    if (host != NULL) {
        host += strlen("://");
        char *end = host + strcspn(host, "/?");
        char *at = memrchr(host, '@', (size_t)(end - host));
        char *colon = at == NULL ? NULL : memchr(host, ':', (size_t)(at - host));
        if (colon != NULL)
            memmove(colon, at, strlen(at) + 1);
    }
    hide_parameter(text);
    return text;
}
