/* requests.c — page requests waiting, due, or being written: one a package. */
#include "requests.h"

#include "piw/err.h"

#include <stdlib.h>

static uint64_t hash_of(const requests *all, piw_text package)
{
    return piw_table_hash(all->seed, package.s, package.len);
}

static bool same(const piw_table_node *node, const void *key)
{
    return piw_text_is(*(const piw_text *)key, PIW_TABLE_ENTRY(node, const request, node)->package);
}

void requests_init(requests *all)
{
    *all = (requests){.seed = piw_table_seed()};
}

request *requests_next(const requests *all, const request *r)
{
    piw_table_node *node = piw_table_next(&all->by_package, r == NULL ? NULL : &r->node);
    return node == NULL ? NULL : PIW_TABLE_ENTRY(node, request, node);
}

void requests_fini(requests *all)
{
    request *r = requests_next(all, NULL);
    while (r != NULL) {
        request *next = requests_next(all, r);
        piw_table_remove(&all->by_package, &r->node);
        free(r);
        r = next;
    }
    piw_table_fini(&all->by_package);
    free(all->heaps[false].at);
    free(all->heaps[true].at);
    *all = (requests){0};
}

request *requests_find(const requests *all, piw_text package)
{
    piw_table_node *node = piw_table_find(&all->by_package, hash_of(all, package), same, &package);
    return node == NULL ? NULL : PIW_TABLE_ENTRY(node, request, node);
}

size_t requests_count(const requests *all)
{
    return all->by_package.count;
}

/* --- A heap, so that the next one due is found at once however many wait --- */

static void put(request_heap *heap, size_t place, request *r)
{
    heap->at[place] = r;
    r->place = (uint32_t)place;
}

static void rise(request_heap *heap, request *r)
{
    size_t at = r->place;
    while (at > 1 && heap->at[at / 2]->saved.due_ns > r->saved.due_ns) {
        put(heap, at, heap->at[at / 2]);
        at /= 2;
    }
    put(heap, at, r);
}

static void sink(request_heap *heap, request *r)
{
    size_t at = r->place;
    for (;;) {
        size_t child = 2 * at;
        if (child > heap->waiting)
            break;
        if (child < heap->waiting && heap->at[child + 1]->saved.due_ns < heap->at[child]->saved.due_ns)
            child++;
        if (heap->at[child]->saved.due_ns >= r->saved.due_ns)
            break;
        put(heap, at, heap->at[child]);
        at = child;
    }
    put(heap, at, r);
}

static void wait(requests *all, request *r)
{
    request_heap *heap = &all->heaps[r->bulk];
    if (heap->waiting + 1 >= heap->room) {
        heap->room = heap->room == 0 ? 64 : 2 * heap->room;
        heap->at = piw_realloc(heap->at, heap->room * sizeof(*heap->at));
    }
    put(heap, ++heap->waiting, r);
    rise(heap, r);
}

static void unwait(requests *all, request *r)
{
    request_heap *heap = &all->heaps[r->bulk];
    size_t place = r->place;
    request *last = heap->at[heap->waiting--];
    r->place = 0;
    if (last == r)
        return;
    put(heap, place, last);
    rise(heap, last);
    sink(heap, last);
}

size_t requests_waiting(const requests *all, bool bulk)
{
    return all->heaps[bulk].waiting;
}

/* --- Requests --- */

static void move_to(requests *all, request *r, int64_t due_ns)
{
    r->saved.due_ns = due_ns;
    rise(&all->heaps[r->bulk], r);
    sink(&all->heaps[r->bulk], r);
}

/* While it is being written, what is asked for waits behind it. */
static void ask_again(request *r, page_part what, int64_t due_ns)
{
    if (r->saved.again == PART_NONE || what == PART_REMOVE || due_ns < r->saved.again_ns)
        r->saved.again_ns = due_ns;
    if (what > r->saved.again)
        r->saved.again = what;
}

/* It has the time of whoever asks for it now: as bulk work it had none. */
static void leave_bulk(requests *all, request *r, int64_t due_ns)
{
    if (!r->bulk)
        return;
    bool waits = r->place != 0;
    if (waits)
        unwait(all, r);
    else
        all->flying_bulk--;
    r->bulk = false;
    if (waits) {
        r->saved.due_ns = due_ns;
        wait(all, r);
    }
}

static request *add(requests *all, piw_text package, page_part what, int64_t due_ns, piw_time added_at, bool bulk)
{
    request *r = piw_zalloc(sizeof(*r));
    memcpy(r->package, package.s, package.len);
    r->bulk = bulk;
    r->saved = (secretary_request){.package = {r->package, package.len},
                                   .part = what,
                                   .due_ns = due_ns,
                                   .added_at = added_at,
                                   .bulk = &r->bulk,
                                   .of_all = &r->of_all};
    piw_table_add(&all->by_package, &r->node, hash_of(all, package));
    wait(all, r);
    return r;
}

/* Of one that is there already. */
static void ask_more(requests *all, request *r, page_part what, int64_t due_ns)
{
    if (r->place == 0) {
        ask_again(r, what, due_ns);
        return;
    }
    if (what > r->saved.part)
        r->saved.part = what;
    if (due_ns < r->saved.due_ns)
        move_to(all, r, due_ns);
}

request *requests_ask(requests *all, piw_text package, page_part what, int64_t due_ns, piw_time added_at)
{
    request *r = requests_find(all, package);
    if (r == NULL)
        return add(all, package, what, due_ns, added_at, false);
    leave_bulk(all, r, due_ns);
    ask_more(all, r, what, due_ns);
    return r;
}

request *requests_ask_of_all(requests *all, piw_text package, page_part what, int64_t due_ns, piw_time added_at)
{
    request *r = requests_find(all, package);
    if (r == NULL)
        r = add(all, package, what, due_ns, added_at, true);
    else
        ask_more(all, r, what, r->place != 0 ? r->saved.due_ns : due_ns);
    all->of_all += r->of_all ? 0 : 1;
    r->of_all = true;
    return r;
}

request *requests_due(const requests *all, int64_t now_ns, bool bulk)
{
    const request_heap *heap = &all->heaps[bulk];
    return heap->waiting > 0 && heap->at[1]->saved.due_ns <= now_ns ? heap->at[1] : NULL;
}

int64_t requests_next_due(const requests *all, bool bulk)
{
    const request_heap *heap = &all->heaps[bulk];
    return heap->waiting > 0 ? heap->at[1]->saved.due_ns : INT64_MAX;
}

int64_t requests_fly(requests *all, request *r)
{
    unwait(all, r);
    all->flying[all->flying_count++] = r;
    all->flying_bulk += r->bulk ? 1 : 0;
    r->saved.number = ++all->last_number;
    return r->saved.number;
}

request *requests_flying(const requests *all, int64_t number)
{
    for (size_t i = 0; i < all->flying_count; i++) {
        if (all->flying[i]->saved.number == number)
            return all->flying[i];
    }
    return NULL;
}

static void land(requests *all, request *r)
{
    for (size_t i = 0; i < all->flying_count; i++) {
        if (all->flying[i] == r)
            all->flying[i] = all->flying[--all->flying_count];
    }
    all->flying_bulk -= r->bulk ? 1 : 0;
    r->saved.number = 0;
}

void requests_set_tries(requests *all, request *r, int64_t tries)
{
    all->failing -= r->saved.tries > 0 ? 1 : 0;
    r->saved.tries = tries;
    all->failing += r->saved.tries > 0 ? 1 : 0;
}

void requests_done(requests *all, request *r)
{
    land(all, r);
    requests_set_tries(all, r, 0);
    if (r->saved.again == PART_NONE) {
        all->of_all -= r->of_all ? 1 : 0;
        piw_table_remove(&all->by_package, &r->node);
        free(r);
        return;
    }
    r->saved.part = r->saved.again;
    r->saved.due_ns = r->saved.again_ns;
    r->saved.again = PART_NONE;
    wait(all, r);
}

void requests_failed(requests *all, request *r, int64_t due_ns)
{
    land(all, r);
    if (r->saved.again > r->saved.part)
        r->saved.part = r->saved.again;
    r->saved.again = PART_NONE;
    requests_set_tries(all, r, r->saved.tries + 1);
    r->saved.due_ns = due_ns;
    wait(all, r);
}
