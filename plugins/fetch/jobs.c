/* jobs.c — what tasks have asked to be fetched, and what has come of it. */
#include "jobs.h"

#include "shared/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

void jobs_init(jobs *all)
{
    *all = (jobs){0};
    all->end = &all->first;
}

void jobs_fini(jobs *all)
{
    while (all->first != NULL) {
        job *one = all->first;
        jobs_end(all, &one);
    }
}

/* Not one that is another line, or half of one. */
static bool is_header(const fetch_header *header)
{
    static const char token[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    if (header->name.len == 0 || strspn(header->name.s, token) != header->name.len || header->value.s == NULL)
        return false;
    for (uint32_t i = 0; i < header->value.len; i++)
        if ((unsigned char)header->value.s[i] < ' ' || header->value.s[i] == 0x7f)
            return false;
    return true;
}

int jobs_check(const fetch_request *request, piw_err *err)
{
    if (request->url.s == NULL ||
        (strncasecmp(request->url.s, "http://", 7) != 0 && strncasecmp(request->url.s, "https://", 8) != 0))
        return piw_err_set(err, PIW_EINVAL, "\"%.200s\" can't be fetched: http:// or https:// is wanted",
                           request->url.s != NULL ? request->url.s : "");
    if (request->bytes_max < 0 || request->bytes_max > BYTES_MAX)
        return piw_err_set(err, PIW_EINVAL, "bytes_max of %.200s is %lld: 0 to %d will do", request->url.s,
                           (long long)request->bytes_max, BYTES_MAX);
    if (request->timeout_ms < 0 || request->timeout_ms > TIMEOUT_MAX_MS)
        return piw_err_set(err, PIW_EINVAL, "timeout_ms of %.200s is %lld: 0 to %d will do", request->url.s,
                           (long long)request->timeout_ms, TIMEOUT_MAX_MS);
    if (request->file.s != NULL && request->file.s[0] != '/')
        return piw_err_set(err, PIW_EINVAL, "file %.200s: an absolute path is wanted", request->file.s);
    for (uint32_t i = 0; i < request->headers.count; i++)
        if (!is_header(&request->headers.at[i]))
            return piw_err_set(err, PIW_EINVAL, "header %u for %.200s is none: \"%.100s\"", i + 1, request->url.s,
                               request->headers.at[i].name.s != NULL ? request->headers.at[i].name.s : "");
    return 0;
}

int jobs_room(const jobs *all, const fetch_request *request, piw_err *err)
{
    if (all->count >= JOBS_MAX || all->posted + request->post.len > JOBS_POSTED_MAX)
        return piw_err_set(err, PIW_ELIMIT, "%u requests wait already, with %lld bytes: ask for %.200s later",
                           all->count, (long long)all->posted, request->url.s);
    return 0;
}

job *jobs_add(jobs *all, piw_token token, const char *asker, const fetch_request *request)
{
    job *one = piw_zalloc(sizeof(*one));
    fetch_request *copy;
    one->msg = fetch_FETCH_new(&copy);
    piw_value_copy(one->msg, fetch_request_type(), request, copy);
    one->request = copy;
    one->token = token;
    snprintf(one->asker, sizeof(one->asker), "%s", asker);
    one->bytes_max = copy->bytes_max > 0 ? copy->bytes_max : BYTES_USUAL;
    *all->end = one;
    all->end = &one->next;
    all->count++;
    all->posted += copy->post.len;
    return one;
}

void jobs_end(jobs *all, job **one)
{
    job *old = *one, **at = &all->first;
    while (*at != old)
        at = &(*at)->next;
    *at = old->next;
    if (all->end == &old->next)
        all->end = at;
    all->count--;
    all->posted -= old->request->post.len;
    if (old->file != NULL)
        fclose(old->file);
    if (old->part != NULL)
        unlink(old->part);
    free(old->part);
    piw_buffer_fini(&old->body);
    piw_msg_free(&old->reply);
    piw_msg_free(&old->msg);
    free(old);
    *one = NULL;
}

job *jobs_next(const jobs *all, int64_t at_once, int64_t per_task)
{
    int64_t under_way = 0;
    for (const job *one = all->first; one != NULL; one = one->next)
        under_way += one->begun;
    for (job *one = all->first; under_way < at_once && one != NULL; one = one->next) {
        int64_t its = 0;
        for (const job *other = all->first; other != NULL; other = other->next)
            its += other->begun && strcmp(other->asker, one->asker) == 0;
        if (!one->begun && its < per_task)
            return one;
    }
    return NULL;
}

/* --- The body -------------------------------------------------------------------------------------------------------- */

static int open_file(job *one)
{
    const char *path = one->request->file.s;
    one->part = piw_sprintf("%s.%llu.part", path, (unsigned long long)one->token.id);
    int fd = open(one->part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    one->file = fd < 0 ? NULL : fdopen(fd, "w");
    if (one->file != NULL)
        return 0;
    piw_err_errno(&one->err, "can't make %s", one->part);
    one->err.code = PIW_EIO;
    if (fd >= 0)
        close(fd);
    return PIW_EIO;
}

bool job_take(job *one, const void *data, size_t len)
{
    if (one->answer->size + (int64_t)len > one->bytes_max) {
        piw_err_set(&one->err, PIW_ELIMIT, "the answer has more than %lld bytes", (long long)one->bytes_max);
        return false;
    }
    one->answer->size += (int64_t)len;
    if (one->request->file.s == NULL) {
        piw_put_bytes(&one->body, data, len);
        return true;
    }
    if (one->file == NULL && open_file(one) != 0)
        return false;
    if (fwrite(data, 1, len, one->file) == len)
        return true;
    piw_err_errno(&one->err, "can't write %s", one->part);
    one->err.code = PIW_EIO;
    return false;
}

static int put_in_place(job *one, piw_err *err)
{
    int rc = one->file == NULL ? open_file(one) : 0; /* an empty one is one, too */
    if (rc != 0)
        return piw_err_set(err, rc, "%s", one->err.text);
    FILE *file = one->file;
    one->file = NULL;
    if (fclose(file) != 0 || rename(one->part, one->request->file.s) != 0) {
        piw_err_errno(err, "can't write %s", one->request->file.s);
        err->code = PIW_EIO;
        return PIW_EIO;
    }
    free(one->part);
    one->part = NULL;
    return 0;
}

int job_whole(job *one, piw_err *err)
{
    if (one->request->file.s != NULL)
        return one->answer->status == 200 ? put_in_place(one, err) : 0;
    piw_blob *blob = piw_blob_new(one->body.data, one->body.len);
    if (blob == NULL)
        return piw_err_set(err, PIW_ENOMEM, "no memory for an answer of %zu bytes", one->body.len);
    one->answer->body = piw_msg_blob(one->reply, blob);
    piw_blob_unref(&blob);
    return 0;
}
