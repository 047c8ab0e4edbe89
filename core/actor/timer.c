/* timer.c — timers, known by the name and key of their continuation; their phase belongs to the shell and survives a swap. */
#include "actor/shell.h"

#include <stdlib.h>

static uint64_t key_of(const char *continuation, uint64_t key)
{
    return piw__mix((uintptr_t)continuation, key);
}

piw__timer *piw__timer_find(const piw__shell *shell, const char *continuation, uint64_t key)
{
    piw__node *node = piw__table_find(&shell->waits.timers, key_of(continuation, key));
    for (; node != NULL; node = piw__table_more(node)) {
        piw__timer *timer = (piw__timer *)node;
        if (timer->continuation == continuation && timer->key == key)
            return timer;
    }
    return NULL;
}

void piw__timer_put(piw__shell *shell, const char *continuation, uint64_t key, int64_t at_ns, int64_t period_ns)
{
    piw__timer *timer = piw__timer_find(shell, continuation, key);
    if (timer == NULL) {
        timer = piw_zalloc(sizeof(*timer));
        timer->continuation = continuation;
        timer->key = key;
        piw__table_put(&shell->waits.timers, &timer->node, key_of(continuation, key));
    }
    timer->period_ns = period_ns;
    timer->generation = shell->soul.generation;
    piw__heap_put(&shell->waits.timer_heap, &timer->due, at_ns);
}

void piw__timer_end(piw__shell *shell, piw__timer *timer)
{
    piw__heap_remove(&shell->waits.timer_heap, &timer->due);
    piw__table_remove(&shell->waits.timers, &timer->node);
    free(timer);
}

void piw__timers_clear(piw__shell *shell)
{
    for (piw__node *node; (node = piw__table_pop(&shell->waits.timers)) != NULL;) {
        piw__timer *timer = (piw__timer *)node;
        piw__heap_remove(&shell->waits.timer_heap, &timer->due);
        free(timer);
    }
}

void piw__timers_park(piw__shell *shell, uint64_t generation)
{
    uint32_t bucket = 0;
    for (piw__node *node = NULL; (node = piw__table_next(&shell->waits.timers, &bucket, node)) != NULL;) {
        piw__timer *timer = (piw__timer *)node;
        if (timer->generation < generation)
            piw__heap_remove(&shell->waits.timer_heap, &timer->due);
    }
}

void piw__timers_unpark(piw__shell *shell)
{
    uint32_t bucket = 0;
    for (piw__node *node = NULL; (node = piw__table_next(&shell->waits.timers, &bucket, node)) != NULL;) {
        piw__timer *timer = (piw__timer *)node;
        if (timer->due.where == 0)
            piw__heap_put(&shell->waits.timer_heap, &timer->due, timer->due.at_ns);
    }
}

void piw__timers_end(piw__shell *shell, uint64_t generation)
{
    for (uint32_t i = 1; i <= shell->waits.timer_heap.count;) {
        piw__timer *timer = (piw__timer *)(void *)((char *)shell->waits.timer_heap.at[i] - offsetof(piw__timer, due));
        if (timer->generation == generation) {
            piw__timer_end(shell, timer);
            i = 1;
        } else {
            i++;
        }
    }
}

void piw__timers_prune(piw__shell *shell)
{
    for (uint32_t i = 1; i <= shell->waits.timer_heap.count;) {
        piw__timer *timer = (piw__timer *)(void *)((char *)shell->waits.timer_heap.at[i] - offsetof(piw__timer, due));
        if (piw__image_continue(shell->soul.task->image, timer->continuation) != NULL) {
            i++;
            continue;
        }
        piw_info("the timer %s ended with the swap: the new plugin hasn't got it", timer->continuation);
        piw__timer_end(shell, timer);
        i = 1;
    }
}
