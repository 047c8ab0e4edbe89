/* pypi.c — asks PyPI for the summary of a package. */
#include "pypi.h"

#include "shared/summary.h"
#include "shared/trust.h"

#include <curl/curl.h>
#include <stdlib.h>

/* Somebody waits in front of a terminal, and the description can do without. */
enum {
    CONNECT_TIMEOUT_MS = 5000,
    TIMEOUT_MS = 20000,
    REDIRECTS_MAX = 5,
    DOCUMENT_MAX = 64 << 20,
    REFUSAL_MAX = 1 << 20
};

typedef struct reading {
    CURL *curl;
    piw_summary summary;
    size_t read;
} reading;

/* The rest of the document is of no interest: a short count ends the request. */
static size_t on_data(char *data, size_t size, size_t count, void *arg)
{
    reading *r = arg;
    long status = 0;
    curl_easy_getinfo(r->curl, CURLINFO_RESPONSE_CODE, &status);
    r->read += size * count;
    if (r->read > (status == 200 ? DOCUMENT_MAX : REFUSAL_MAX) ||
        (status == 200 && !piw_summary_feed(&r->summary, data, size * count)))
        return 0;
    return size * count;
}

static bool set_up(reading *r, const char *url, char *problem)
{
    bool good = true;
#define SET(option, value) (good = good && curl_easy_setopt(r->curl, option, value) == CURLE_OK)
    SET(CURLOPT_URL, url);
    SET(CURLOPT_USERAGENT, "piwheels/" PIW_VERSION);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_REDIR_PROTOCOLS_STR, piw_trust_redirects(url));
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
    SET(CURLOPT_TIMEOUT_MS, (long)TIMEOUT_MS);
    SET(CURLOPT_FOLLOWLOCATION, 1L);
    SET(CURLOPT_MAXREDIRS, (long)REDIRECTS_MAX);
    SET(CURLOPT_ACCEPT_ENCODING, "");
    SET(CURLOPT_ERRORBUFFER, problem);
    SET(CURLOPT_WRITEFUNCTION, on_data);
    SET(CURLOPT_WRITEDATA, r);
#undef SET
    return good && piw_trust_set(r->curl);
}

static int ask(reading *r, const char *url, piw_err *err)
{
    char problem[CURL_ERROR_SIZE] = "";
    long status = 0;
    if (r->curl == NULL || !set_up(r, url, problem))
        return piw_err_set(err, PIW_ENET, "a request to %.200s can't be set up", url);
    CURLcode code = curl_easy_perform(r->curl);
    curl_easy_getinfo(r->curl, CURLINFO_RESPONSE_CODE, &status);
    if (r->summary.found)
        return 0;
    if (code != CURLE_OK && code != CURLE_WRITE_ERROR)
        return piw_err_set(err, PIW_ENET, "%.200s: %s", url, problem[0] != '\0' ? problem : curl_easy_strerror(code));
    if (status != 200 && status != 404)
        return piw_err_set(err, PIW_ENET, "%.200s answered %ld", url, status);
    return piw_err_set(err, PIW_ENOENT, "%.200s knows no summary", url);
}

int add_pypi_summary(const char *url, const char *package, piw_msg *msg, piw_text *summary, piw_err *err)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return piw_err_set(err, PIW_ENET, "libcurl can't be initialised");
    reading *r = piw_zalloc(sizeof(*r));
    char *address = piw_sprintf("%s/%s/json", url, package);
    r->curl = curl_easy_init();
    int rc = ask(r, address, err);
    if (rc == 0 && !piw_summary_text(&r->summary, msg, ADD_DESCRIPTION_MAX, summary))
        rc = piw_err_set(err, PIW_ENOENT, "%.200s knows no summary", address);
    curl_easy_cleanup(r->curl);
    free(address);
    free(r);
    curl_global_cleanup();
    return rc;
}
