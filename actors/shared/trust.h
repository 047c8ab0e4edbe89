/* trust.h — whom requests over HTTPS trust. One thread a handle. */
#ifndef SHARED_TRUST_H
#define SHARED_TRUST_H

#include <curl/curl.h>
#include <stdbool.h>

/* The authorities in SSL_CERT_FILE and SSL_CERT_DIR, as OpenSSL's own programs and Python take them; libcurl by itself goes by
 * what it was built with. False: libcurl refuses. */
bool piw_trust_set(CURL *easy);
/* Protocols that what was asked for at this address may be redirected to: never from HTTPS to HTTP. For
 * CURLOPT_REDIR_PROTOCOLS_STR. */
const char *piw_trust_redirects(const char *url);

#endif
