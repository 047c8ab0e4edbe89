/* networks.h — inside the core: lists of IPv4 and IPv6 networks, as `[auth] allow` writes them.
 *
 * Read-only once parsed; any thread may ask. */
#ifndef PIW__NETWORKS_H
#define PIW__NETWORKS_H

#include "piw/err.h"

/* An address: IPv6, with IPv4 as ::ffff:a.b.c.d, so that both compare alike whatever socket they came through. */
typedef struct piw__ip {
    uint8_t bytes[16];
} piw__ip;

typedef struct piw__network {
    piw__ip ip;
    unsigned bits; /* of the prefix, 0 to 128 */
} piw__network;

typedef struct piw__networks {
    piw__network *at;
    size_t count;
} piw__networks;

/* "192.0.2.0/24, 2001:db8::/32 10.1.2.3", or "all". PIW_ECONFIG with a sentence naming the part that is wrong. */
int piw__networks_parse(piw__networks *networks, const char *text, piw_err *err);
void piw__networks_fini(piw__networks *networks);
bool piw__networks_hold(const piw__networks *networks, const piw__ip *ip);
/* True when every address is in it. */
bool piw__networks_all(const piw__networks *networks);

/* A numeric address as libzmq and getnameinfo write it ("192.0.2.7", "::ffff:192.0.2.7", "fe80::1%eth0"). */
bool piw__ip_parse(const char *text, piw__ip *ip);
bool piw__ip_loopback(const piw__ip *ip);
bool piw__ip_v4(const piw__ip *ip);

#endif
