/* watch.c — descriptors that a soul watches. They end with it. */
#include "actor/shell.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

static piw__watch *find(const piw__shell *shell, int fd)
{
    uint32_t bucket = 0;
    for (piw__node *node = NULL; (node = piw__table_next(&shell->waits.watches, &bucket, node)) != NULL;)
        if (((piw__watch *)node)->fd == fd)
            return (piw__watch *)node;
    return NULL;
}

int piw_watch(piw_task *task, int fd, int events, const char *continuation, uint64_t key)
{
    piw__shell *shell = task->shell;
    const char *name = piw__image_continuation(task->image, continuation);
    if (name == NULL) {
        piw_error("watch: there is no continuation %s", continuation);
        return PIW_ENOENT;
    }
    piw__watch *watch = find(shell, fd);
    bool known = watch != NULL;
    if (!known) {
        watch = piw_zalloc(sizeof(*watch));
        watch->fd = fd;
        piw__table_put(&shell->waits.watches, &watch->node, PIW__POLL_WATCH + ++shell->waits.next_watch);
    }
    watch->continuation = name;
    watch->key = key;
    watch->generation = task->generation;
    struct epoll_event event = {.data.u64 = watch->node.key,
                                .events = ((events & PIW_READ) != 0 ? (uint32_t)EPOLLIN : 0) |
                                          ((events & PIW_WRITE) != 0 ? (uint32_t)EPOLLOUT : 0)};
    /* A descriptor that was closed without unwatching has left the epoll set by itself; its number may be in use again.
     */
    int ret = epoll_ctl(shell->loop.epoll_fd, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);
    if (ret != 0 && (errno == ENOENT || errno == EEXIST))
        ret = epoll_ctl(shell->loop.epoll_fd, errno == ENOENT ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event);
    if (ret != 0) {
        piw__table_remove(&shell->waits.watches, &watch->node);
        free(watch);
        return PIW_ESYS;
    }
    return 0;
}

static void end(piw__shell *shell, piw__watch *watch)
{
    epoll_ctl(shell->loop.epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL); /* fails when it was closed: just as well */
    piw__table_remove(&shell->waits.watches, &watch->node);
    free(watch);
}

void piw_unwatch(piw_task *task, int fd)
{
    piw__watch *watch = find(task->shell, fd);
    /* The old soul's stop, after a swap, must not end what the new one watches under the same number. */
    if (watch != NULL && watch->generation == task->generation)
        end(task->shell, watch);
}

void piw__watches_clear(piw__shell *shell, uint64_t generation)
{
    uint32_t bucket = 0;
    for (piw__node *node = piw__table_next(&shell->waits.watches, &bucket, NULL); node != NULL;) {
        piw__watch *watch = (piw__watch *)node;
        if (generation == 0 || watch->generation == generation) {
            end(shell, watch);
            bucket = 0;
            node = NULL;
        }
        node = piw__table_next(&shell->waits.watches, &bucket, node);
    }
}
