/* opening.c — what lies on the site is read, once it is there. */
#include "juggler.h"

#include "shared/site_path.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

static void spread(const char *path)
{
    int flags = 0;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return;
    if (ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0 && (flags & FS_TOPDIR_FL) == 0) {
        flags |= FS_TOPDIR_FL;
        (void)ioctl(fd, FS_IOC_SETFLAGS, &flags);
    }
    close(fd);
}

/* Folders in the staging folder, and in that of temporary files, have nothing to do with each other. ext4 then gives each a part of the
 * disk of its own, with inodes of its own: where other programs have just removed thousands of files nearby, one without a journal looks
 * past all their inodes for each file that is made (docs/performance.md#files-of-builds). Other file systems need no such word.
 * The folder of temporary files is made before that: those of pages are best near the pages. */
static void spread_folders(const char *root)
{
    char staging[PIW_PATH_MAX], tmp[PIW_PATH_MAX];
    if (!piw_path_staging(staging, root) || !piw_path_tmp(tmp, root) || (mkdir(tmp, 0700) != 0 && errno != EEXIST))
        return;
    spread(staging);
    spread(tmp);
}

static int open_journal(juggler *self, const juggler_files *known, piw_err *err)
{
    piw_err own_err = {0};
    int rc = journal_open(&self->journal, self->root, known, &own_err);
    if (rc != 0)
        return piw_err_set(err, rc, "%s", own_err.text);
    if (self->journal.fd < 0)
        piw_outage_goes_on(&self->troubles[TROUBLE_JOURNAL], PIW_LOG_ERROR, 0,
                           "builds have to wait until there is room on the disk: %s", own_err.text);
    return 0;
}

int juggler_open(piw_task *task, const piw_msg *state, piw_err *err)
{
    juggler *self = piw_soul(task);
    int rc = open_journal(self, state == NULL ? NULL : file_juggler_state_of(state)->journal, err);
    if (rc == 0 && state == NULL)
        spread_folders(self->root);
    if (rc == 0)
        ready_open(self);
    if (rc == 0 && state == NULL)
        rc = small_open(self, err);
    if (rc == 0 && state == NULL)
        logs_mend(self);
    if (rc == 0 && state != NULL)
        rc = juggler_load(self, file_juggler_state_of(state), err);
    else if (rc == 0 && self->why == PIW_BOOT)
        rc = unfinished_find(self, err);
    else if (rc == 0)
        rc = unfinished_find_recorded(self, err);
    if (rc == 0 && self->why == PIW_BOOT)
        rc = upkeep_check_logs(task);
    if (rc == 0 && state == NULL && self->why != PIW_BOOT)
        self->logs_late = self->journal.high;
    self->opened = rc == 0;
    if (rc == 0 && state == NULL)
        rc = upkeep_discard_noted(task);
    self->unsynced = true; /* the journal's new file */
    if (rc == 0)
        rc = syncs_go(task);
    for (transfer *t = transfers_next(&self->transfers, NULL); rc == 0 && t != NULL;
         t = transfers_next(&self->transfers, t))
        rc = along_go(task, t);
    if (rc == 0)
        rc = logs_go(task);
    if (rc == 0)
        rc = early_recheck(task);
    /* After a swap what the predecessor has begun comes back to us by itself. */
    return rc != 0 || state != NULL ? rc : unfinished_begin(task);
}
