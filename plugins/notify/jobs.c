/* jobs.c — what may wait: a POST to a stranger's server, and the disk. */
#include "jobs.h"

#include "notify.piw.h"
#include "piw/version.h"
#include "shared/atomic_file.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <unistd.h>

/* A worker is held for so long at most: others need the pool too. */
enum { CONNECT_MS = 3000, ANSWER_MS = 8000 };

/* "X-Piwheels-Signature: sha256=…": who has the secret sees who sent it, and that nobody changed it. */
static int sign(const post_notice *job, char *to, size_t size, piw_err *err)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    if (HMAC(EVP_sha256(), job->secret.s, (int)job->secret.len, (const unsigned char *)job->body.s, job->body.len, mac,
             &len) == NULL)
        return piw_err_set(err, PIW_ESYS, "the cryptography library refuses to sign");
    int n = snprintf(to, size, "X-Piwheels-Signature: sha256=");
    for (unsigned i = 0; i < len; i++)
        n += snprintf(to + n, size - (size_t)n, "%02x", mac[i]);
    return 0;
}

static size_t drop_answer(char *data, size_t size, size_t count, void *arg)
{
    (void)data, (void)arg;
    return size * count;
}

static struct curl_slist *add_header(struct curl_slist *list, const char *line, bool *good)
{
    struct curl_slist *longer = curl_slist_append(list, line);
    *good = *good && longer != NULL;
    return longer != NULL ? longer : list;
}

static CURLcode set_up(CURL *curl, const post_notice *job, const struct curl_slist *headers)
{
    CURLcode rc = curl_easy_setopt(curl, CURLOPT_URL, job->url.s);
    rc = rc != CURLE_OK ? rc : curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    rc = rc != CURLE_OK ? rc : curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    rc = rc != CURLE_OK ? rc : curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    rc = rc != CURLE_OK ? rc : curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)ANSWER_MS);
    rc = rc != CURLE_OK ? rc : curl_easy_setopt(curl, CURLOPT_USERAGENT, "piwheels/" PIW_VERSION);
    rc = rc != CURLE_OK ? rc : curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    rc = rc != CURLE_OK ? rc : curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, drop_answer);
    rc = rc != CURLE_OK ? rc : curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)job->body.len);
    return rc != CURLE_OK ? rc : curl_easy_setopt(curl, CURLOPT_POSTFIELDS, job->body.s);
}

int job_post_notice(piw_msg *job, piw_msg **result, piw_err *err)
{
    const post_notice *body = post_notice_of(job);
    char signature[64 + 2 * EVP_MAX_MD_SIZE], why[CURL_ERROR_SIZE] = "";
    bool good = true;
    struct curl_slist *headers = add_header(NULL, "Content-Type: application/json", &good);
    if (body->secret.len > 0) {
        int rc = sign(body, signature, sizeof(signature), err);
        if (rc != 0) {
            curl_slist_free_all(headers);
            return rc;
        }
        headers = add_header(headers, signature, &good);
    }
    CURL *curl = good ? curl_easy_init() : NULL;
    if (curl == NULL) {
        curl_slist_free_all(headers);
        return piw_err_set(err, PIW_ENOMEM, "no memory to send a notice");
    }
    long status = 0;
    CURLcode rc = curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why);
    rc = rc != CURLE_OK ? rc : set_up(curl, body, headers);
    rc = rc != CURLE_OK ? rc : curl_easy_perform(curl);
    if (rc == CURLE_OK)
        rc = curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    post_notice_reply *reply;
    *result = post_notice_reply_new(&reply);
    reply->status = rc == CURLE_OK ? status : 0;
    reply->why = rc == CURLE_OK   ? piw_msg_printf(*result, "it answered with HTTP status %ld", status)
                 : why[0] != '\0' ? piw_msg_printf(*result, "%.400s", why)
                                  : piw_msg_textz(*result, curl_easy_strerror(rc));
    curl_easy_cleanup(curl);
    curl_slist_free_all(headers);
    return 0;
}

int notify_write(const char *path, const void *data, size_t len, piw_err *err)
{
    char *beside = piw_sprintf("%s.new", path);
    int rc = 0, fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        rc = piw_err_errno(err, "can't make %s", beside);
    } else {
        if (piw_write_all(fd, data, len) != 0 || fsync(fd) != 0)
            rc = piw_err_errno(err, "can't write %s", beside);
        if (close(fd) != 0 && rc == 0)
            rc = piw_err_errno(err, "can't write %s", beside);
        if (rc == 0 && rename(beside, path) != 0)
            rc = piw_err_errno(err, "can't rename %s", beside);
    }
    free(beside);
    return rc;
}

int job_keep_state(piw_msg *job, piw_msg **result, piw_err *err)
{
    const keep_state *body = keep_state_of(job);
    int rc = notify_write(body->path.s, body->record.data, body->record.len, err);
    if (rc == 0)
        *result = keep_state_reply_new();
    return rc;
}
