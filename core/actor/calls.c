/* calls.c — calls that wait for their one answer: reply, error or deadline. */
#include "actor/shell.h"

#include <stdlib.h>

piw__call *piw__call_new(piw__shell *shell, const piw_task *task, const char *continuation, uint64_t key)
{
    piw__call *call = shell->waits.free_calls;
    if (call != NULL)
        shell->waits.free_calls = (piw__call *)call->node.next;
    else
        call = piw_alloc(sizeof(*call));
    *call = (piw__call){.continuation = continuation,
                        .key = key,
                        .generation = task->generation,
                        .trace = shell->soul.trace,
                        .inherited_ns = shell->soul.deadline_ns};
    piw__table_put(&shell->waits.calls, &call->node, ++shell->waits.next_call);
    atomic_store_explicit(&shell->seen.figures.calls_open, shell->waits.calls.count, memory_order_relaxed);
    return call;
}

void piw__call_end(piw__shell *shell, piw__call *call)
{
    piw__table_remove(&shell->waits.calls, &call->node);
    piw__heap_remove(&shell->waits.call_heap, &call->due);
    call->node.next = (piw__node *)shell->waits.free_calls;
    shell->waits.free_calls = call;
    atomic_store_explicit(&shell->seen.figures.calls_open, shell->waits.calls.count, memory_order_relaxed);
}

piw__call *piw__call_find(const piw__shell *shell, uint64_t id)
{
    return (piw__call *)piw__table_find(&shell->waits.calls, id);
}

void piw__calls_drop(piw__shell *shell)
{
    for (piw__node *node; (node = piw__table_pop(&shell->waits.calls)) != NULL;) {
        piw__call *call = (piw__call *)node;
        piw__heap_remove(&shell->waits.call_heap, &call->due);
        call->node.next = (piw__node *)shell->waits.free_calls;
        shell->waits.free_calls = call;
    }
    atomic_store_explicit(&shell->seen.figures.calls_open, 0, memory_order_relaxed);
}

void piw__calls_end(piw__shell *shell, uint64_t generation)
{
    uint32_t bucket = 0;
    for (piw__node *node = NULL; (node = piw__table_next(&shell->waits.calls, &bucket, node)) != NULL;) {
        piw__call *call = (piw__call *)node;
        if (call->generation != generation)
            continue;
        piw__call_end(shell, call);
        bucket = 0, node = NULL; /* the table has changed */
    }
}

void piw__calls_fini(piw__shell *shell)
{
    piw__calls_drop(shell);
    while (shell->waits.free_calls != NULL) {
        piw__call *call = shell->waits.free_calls;
        shell->waits.free_calls = (piw__call *)call->node.next;
        free(call);
    }
    piw__table_fini(&shell->waits.calls);
    piw__heap_fini(&shell->waits.call_heap);
}
