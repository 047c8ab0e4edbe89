/* record.c — recordings of tasks begin and end (docs/recording.md). */
#include "record/recording.h"

#include "runtime/inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* "NAME", which has one instance, or "NAME.2". Under runtime->admin. */
static int find(piw_runtime *runtime, const char *task, piw__role **role, unsigned *instance, piw_err *err)
{
    char name[65];
    const char *dot = strrchr(task, '.');
    bool numbered = dot != NULL && dot[1] != 0 && strspn(dot + 1, "0123456789") == strlen(dot + 1);
    snprintf(name, sizeof(name), "%.*s", (int)(numbered ? dot - task : 64), task);
    int rc = piw__admin_find(runtime, name, role, err);
    if (rc != 0)
        return rc;
    unsigned long number = numbered ? strtoul(dot + 1, NULL, 10) : 0;
    if (*role == runtime->admin_role)
        return piw_err_set(err, PIW_EREFUSED, "task %s can't be recorded: it is who records", name);
    if (!numbered && (*role)->instances > 1)
        return piw_err_set(err, PIW_EREFUSED, "task %s has %u instances: say which one, %s.0 to %s.%u", name,
                           (*role)->instances, name, name, (*role)->instances - 1);
    if (number >= (*role)->instances)
        return piw_err_set(err, PIW_ENOENT, "task %s has no instance %lu", name, number);
    *instance = (unsigned)number;
    return 0;
}

/* Asked once more by the shell itself; here it spares making a file. */
static int check_free(piw__shell *shell, piw_err *err)
{
    piw__recording *now = piw__record_ref(shell);
    int rc = 0;
    if (now != NULL && !piw__recording_closed(now))
        rc = piw_err_set(err, PIW_EREFUSED, "%s is being recorded in %s: piw-ctl record %s --stop ends that",
                         shell->name, piw__recording_path(now), shell->name);
    piw__recording_unref(&now);
    return rc;
}

/* Under runtime->admin. */
static int begin(piw__role *role, unsigned instance, piw__recording *recording, piw_err *err)
{
    piw__op *op = piw__op_new(PIW__OP_RECORD, role->image);
    op->recording = piw__recording_ref(recording);
    int rc = piw__admin_operate_one(role, instance, op, err);
    piw__op_unref(op);
    return rc;
}

int piw_runtime_record(piw_runtime *runtime, const char *task, const char *file, uint64_t max, int64_t for_ms,
                       piw_err *err)
{
    piw__role *role;
    piw__recording *recording = NULL;
    unsigned instance;
    int rc = piw__admin_lock(runtime, err);
    if (rc != 0)
        return rc;
    rc = find(runtime, task, &role, &instance, err);
    if (rc == 0 && !role->enabled)
        rc = piw_err_set(err, PIW_EREFUSED, "task %s is disabled", task);
    if (rc == 0)
        rc = check_free(role->shells[instance], err);
    if (rc == 0)
        rc = piw__recording_new(&recording, task, file, max,
                                for_ms > 0 ? piw_monotonic_ns() + for_ms * INT64_C(1000000) : 0, err);
    if (rc == 0) {
        rc = begin(role, instance, recording, err);
        if (rc != 0) {
            piw__recording_close(recording, "it could not begin");
            unlink(file);
        }
    }
    pthread_mutex_unlock(&runtime->admin);
    piw__recording_unref(&recording);
    return rc;
}

int piw_runtime_record_end(piw_runtime *runtime, const char *task, char *said, size_t size, piw_err *err)
{
    piw__role *role;
    piw__recording *recording = NULL;
    unsigned instance;
    int rc = piw__admin_lock(runtime, err);
    if (rc != 0)
        return rc;
    rc = find(runtime, task, &role, &instance, err);
    if (rc == 0)
        recording = piw__record_ref(role->shells[instance]);
    pthread_mutex_unlock(&runtime->admin);
    if (rc != 0)
        return rc;
    if (recording == NULL)
        return piw_err_set(err, PIW_ENOENT, "task %s is not being recorded", task);
    piw__recording_close(recording, "piw-ctl ended it");
    piw__recording_tell(recording, said, size);
    piw__recording_unref(&recording);
    return 0;
}
