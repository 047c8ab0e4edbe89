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
    free(all->heap);
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

static void put(requests *all, size_t place, request *r)
{
    all->heap[place] = r;
    r->place = (uint32_t)place;
}

static void rise(requests *all, request *r)
{
    size_t at = r->place;
    while (at > 1 && all->heap[at / 2]->saved.due_ns > r->saved.due_ns) {
        put(all, at, all->heap[at / 2]);
        at /= 2;
    }
    put(all, at, r);
}

static void sink(requests *all, request *r)
{
    size_t at = r->place;
    for (;;) {
        size_t child = 2 * at;
        if (child > all->waiting)
            break;
        if (child < all->waiting && all->heap[child + 1]->saved.due_ns < all->heap[child]->saved.due_ns)
            child++;
        if (all->heap[child]->saved.due_ns >= r->saved.due_ns)
            break;
        put(all, at, all->heap[child]);
        at = child;
    }
    put(all, at, r);
}

static void wait(requests *all, request *r)
{
    if (all->waiting + 1 >= all->room) {
        all->room = all->room == 0 ? 64 : 2 * all->room;
        all->heap = piw_realloc(all->heap, all->room * sizeof(*all->heap));
    }
    put(all, ++all->waiting, r);
    rise(all, r);
}

static void unwait(requests *all, request *r)
{
    size_t place = r->place;
    request *last = all->heap[all->waiting--];
    r->place = 0;
    if (last == r)
        return;
    put(all, place, last);
    rise(all, last);
    sink(all, last);
}

/* --- Requests --- */

static void move_to(requests *all, request *r, int64_t due_ns)
{
    r->saved.due_ns = due_ns;
    rise(all, r);
    sink(all, r);
}

/* While it is being written, what is asked for waits behind it. */
static void ask_again(request *r, page_part what, int64_t due_ns)
{
    if (r->saved.again == PART_NONE || what == PART_REMOVE || due_ns < r->saved.again_ns)
        r->saved.again_ns = due_ns;
    if (what > r->saved.again)
        r->saved.again = what;
}

request *requests_ask(requests *all, piw_text package, page_part what, int64_t due_ns, piw_time added_at)
{
    request *r = requests_find(all, package);
    if (r == NULL) {
        r = piw_zalloc(sizeof(*r));
        memcpy(r->package, package.s, package.len);
        r->saved.package = (piw_text){r->package, package.len};
        r->saved.part = what;
        r->saved.due_ns = due_ns;
        r->saved.added_at = added_at;
        piw_table_add(&all->by_package, &r->node, hash_of(all, package));
        wait(all, r);
        return r;
    }
    if (r->place == 0) {
        ask_again(r, what, due_ns);
        return r;
    }
    if (what > r->saved.part)
        r->saved.part = what;
    if (due_ns < r->saved.due_ns)
        move_to(all, r, due_ns);
    return r;
}

request *requests_due(const requests *all, int64_t now_ns)
{
    return all->waiting > 0 && all->heap[1]->saved.due_ns <= now_ns ? all->heap[1] : NULL;
}

int64_t requests_next_due(const requests *all)
{
    return all->waiting > 0 ? all->heap[1]->saved.due_ns : INT64_MAX;
}

int64_t requests_fly(requests *all, request *r)
{
    unwait(all, r);
    all->flying[all->flying_count++] = r;
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
    r->saved.number = 0;
}

void requests_mark(requests *all, request *r)
{
    all->of_all += r->of_all ? 0 : 1;
    r->of_all = true;
}

void requests_done(requests *all, request *r)
{
    land(all, r);
    all->of_all -= r->of_all ? 1 : 0;
    r->of_all = false;
    if (r->saved.again == PART_NONE) {
        piw_table_remove(&all->by_package, &r->node);
        free(r);
        return;
    }
    r->saved.part = r->saved.again;
    r->saved.due_ns = r->saved.again_ns;
    r->saved.again = PART_NONE;
    r->saved.tries = 0;
    wait(all, r);
}

void requests_failed(requests *all, request *r, int64_t due_ns)
{
    land(all, r);
    if (r->saved.again > r->saved.part)
        r->saved.part = r->saved.again;
    r->saved.again = PART_NONE;
    r->saved.tries++;
    r->saved.due_ns = due_ns;
    wait(all, r);
}
