/* An echo that answers nobody, and that notes its start: as E where has_time has a thread already. */
#include "notes_start.h"
#include "test/echo.piw.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

static bool has_thread(const char *wanted)
{
    bool found = false;
    DIR *folder = opendir("/proc/self/task");
    for (struct dirent *entry = NULL; folder != NULL && (entry = readdir(folder)) != NULL;) {
        char path[300], name[20] = "";
        snprintf(path, sizeof(path), "/proc/self/task/%s/comm", entry->d_name);
        FILE *file = fopen(path, "re");
        if (file == NULL)
            continue;
        found = found || (fgets(name, sizeof(name), file) != NULL && strncmp(name, wanted, strlen(wanted)) == 0);
        fclose(file);
    }
    if (folder != NULL)
        closedir(folder);
    return found;
}

static int start(piw_task *task, piw_why why, const piw_msg *state, piw_err *err)
{
    (void)why;
    (void)state;
    (void)err;
    notes_start(task, has_thread("has_time") ? 'E' : 'e');
    return 0;
}

static int on_any(piw_task *task, piw_msg *msg)
{
    (void)task;
    (void)msg;
    return PIW_EREFUSED;
}

static const piw_service serves[] = {{"echo", &echo_protocol_def}, PIW_SERVICES_END};
static const piw_handler handlers[] = {{&echo_protocol_def, PIW_EVERY_MESSAGE, on_any}, PIW_HANDLERS_END};

PIW_PLUGIN(echo, .version = "1", .summary = "a fixture of the runtime's tests", .serves = serves, .start = start,
           .handlers = handlers);
