/* web_log.c — entries of the web server's log: the widths of their columns and the form of hosts and user agents. */
#include "shared/web_log.h"

#include "piw/codec.h"
#include "shared/text.h"

#include <arpa/inet.h>

bool piw_log_host_valid(piw_text host)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr address;
    if (host.len == 0 || host.len >= sizeof(text) || memchr(host.s, '\0', host.len) != NULL)
        return false;
    memcpy(text, host.s, host.len);
    text[host.len] = '\0';
    return inet_pton(strchr(text, ':') != NULL ? AF_INET6 : AF_INET, text, &address) == 1;
}

piw_text piw_log_host(piw_text host)
{
    const char *zone = host.len > 0 ? memchr(host.s, '%', host.len) : NULL;
    if (zone == NULL || zone + 1 == host.s + host.len)
        return host;
    piw_text address = {host.s, (uint32_t)(zone - host.s)};
    return memchr(address.s, ':', address.len) != NULL && piw_log_host_valid(address) ? address : host;
}

uint32_t piw_log_prefix(piw_text text, uint32_t chars)
{
    if (text.len <= chars)
        return text.len;
    uint32_t at = 0;
    /* Bytes that only go on with a character don't count. */
    for (uint32_t count = 0; at < text.len; at++)
        if (((uint8_t)text.s[at] & 0xc0) != 0x80 && count++ == chars)
            break;
    return at;
}

piw_text piw_log_agent(piw_msg *msg, piw_text agent)
{
    const char *slash = memchr(agent.s, '/', agent.len);
    if (slash != NULL)
        agent.len = (uint32_t)(slash - agent.s);
    agent.len = piw_log_prefix(agent, PIW_LOG_AGENT_MAX);
    piw_text made = piw_text_copy(msg, agent);
    for (char *at = (char *)made.s; at < made.s + made.len; at++)
        if (*at >= 'A' && *at <= 'Z')
            *at = (char)(*at - 'A' + 'a');
    return made;
}

int piw_log_hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}
