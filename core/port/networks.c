/* networks.c — lists of IPv4 and IPv6 networks, as `[auth] allow` writes them. */
#include "port/networks.h"

#include <arpa/inet.h>
#include <stdlib.h>

static const uint8_t v4_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool piw__ip_parse(const char *text, piw__ip *ip)
{
    char plain[INET6_ADDRSTRLEN];
    size_t len = strcspn(text, "%"); /* a link-local address carries its interface, which no list names */
    memset(ip, 0, sizeof(*ip));
    if (len == 0 || len >= sizeof(plain))
        return false;
    memcpy(plain, text, len);
    plain[len] = '\0';
    if (strchr(plain, ':') != NULL)
        return inet_pton(AF_INET6, plain, ip->bytes) == 1;
    memcpy(ip->bytes, v4_prefix, sizeof(v4_prefix));
    return inet_pton(AF_INET, plain, ip->bytes + 12) == 1;
}

bool piw__ip_v4(const piw__ip *ip)
{
    return memcmp(ip->bytes, v4_prefix, sizeof(v4_prefix)) == 0;
}

bool piw__ip_loopback(const piw__ip *ip)
{
    static const uint8_t one[16] = {[15] = 1};
    return piw__ip_v4(ip) ? ip->bytes[12] == 127 : memcmp(ip->bytes, one, sizeof(one)) == 0;
}

static bool in_network(const piw__network *network, const piw__ip *ip)
{
    unsigned whole = network->bits / 8, rest = network->bits % 8;
    if (memcmp(network->ip.bytes, ip->bytes, whole) != 0)
        return false;
    return rest == 0 || ((network->ip.bytes[whole] ^ ip->bytes[whole]) >> (8 - rest)) == 0;
}

/* Are the bits after the prefix zero? "10.0.0.1/8" is more likely a slip than a wish. */
static bool tail_is_zero(const piw__network *network)
{
    piw__network rest = {.bits = network->bits};
    for (unsigned i = 0; i < 16; i++) {
        unsigned kept = network->bits >= (i + 1) * 8 ? 8 : network->bits > i * 8 ? network->bits - i * 8 : 0;
        rest.ip.bytes[i] = network->ip.bytes[i] & (uint8_t)(0xff00u >> kept);
    }
    return memcmp(rest.ip.bytes, network->ip.bytes, 16) == 0;
}

static int parse_one(const char *word, size_t len, piw__network *network, piw_err *err)
{
    char text[64];
    if (len >= sizeof(text))
        return piw_err_set(err, PIW_ECONFIG, "\"%.40s…\" is not a network; write 192.0.2.0/24, 2001:db8::/32 or all",
                           word);
    memcpy(text, word, len);
    text[len] = '\0';
    char *slash = strchr(text, '/');
    if (slash != NULL)
        *slash++ = '\0';
    if (strchr(text, '%') != NULL || !piw__ip_parse(text, &network->ip))
        return piw_err_set(err, PIW_ECONFIG, "\"%.*s\" is not a network; write 192.0.2.0/24, 2001:db8::/32 or all",
                           (int)len, word);
    bool v4 = strchr(text, ':') == NULL;
    unsigned long most = v4 ? 32 : 128, bits = most;
    if (slash != NULL) {
        size_t digits = strspn(slash, "0123456789");
        bits = digits > 0 && digits <= 3 && slash[digits] == '\0' ? strtoul(slash, NULL, 10) : most + 1;
        if (bits > most)
            return piw_err_set(err, PIW_ECONFIG, "\"%.*s\": the prefix length must be 0 to %lu", (int)len, word, most);
    }
    network->bits = (unsigned)bits + (v4 ? 96 : 0);
    if (!tail_is_zero(network))
        return piw_err_set(err, PIW_ECONFIG, "\"%.*s\" has bits set after its prefix; write the network's own address",
                           (int)len, word);
    return 0;
}

int piw__networks_parse(piw__networks *networks, const char *text, piw_err *err)
{
    static const char blanks[] = ", \t\n";
    *networks = (piw__networks){0};
    for (const char *word = text + strspn(text, blanks); *word != '\0';) {
        size_t len = strcspn(word, blanks);
        networks->at = piw_realloc(networks->at, (networks->count + 1) * sizeof(*networks->at));
        piw__network *network = &networks->at[networks->count++];
        *network = (piw__network){0};
        int rc = len == 3 && memcmp(word, "all", 3) == 0 ? 0 : parse_one(word, len, network, err);
        if (rc != 0) {
            piw__networks_fini(networks);
            return rc;
        }
        word += len;
        word += strspn(word, blanks);
    }
    if (networks->count == 0)
        return piw_err_set(err, PIW_ECONFIG, "the list of allowed networks is empty; \"all\" allows every address");
    return 0;
}

void piw__networks_fini(piw__networks *networks)
{
    free(networks->at);
    *networks = (piw__networks){0};
}

bool piw__networks_hold(const piw__networks *networks, const piw__ip *ip)
{
    for (size_t i = 0; i < networks->count; i++)
        if (in_network(&networks->at[i], ip))
            return true;
    return false;
}

bool piw__networks_all(const piw__networks *networks)
{
    for (size_t i = 0; i < networks->count; i++)
        if (networks->at[i].bits == 0)
            return true;
    return false;
}
