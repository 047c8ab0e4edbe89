/* trust.c — which certificate authorities requests over HTTPS trust. */
#include "shared/trust.h"

#include <stdlib.h>
#include <strings.h>

bool piw_trust_set(CURL *easy)
{
    const char *file = getenv("SSL_CERT_FILE"), *folder = getenv("SSL_CERT_DIR");
    bool good = true;
    if (file != NULL && file[0] != '\0')
        good = curl_easy_setopt(easy, CURLOPT_CAINFO, file) == CURLE_OK;
    if (folder != NULL && folder[0] != '\0')
        good = good && curl_easy_setopt(easy, CURLOPT_CAPATH, folder) == CURLE_OK;
    return good;
}

const char *piw_trust_redirects(const char *url)
{
    return strncasecmp(url, "https:", 6) == 0 ? "https" : "http,https";
}
