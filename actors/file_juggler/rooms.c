/* rooms.c — a room is left when it is full, or dear. */
#include "file_juggler/rooms.h"

enum {
    FULL = 4000, /* files: an ext4 has some 8,000 inodes in one place */
    LOOK = 48,   /* files, of which the cost is compared: a new room costs as much as some ten */
    DEAR = 3,    /* times the best: what others do on the machine moves it by less */
};

void rooms_init(rooms *r, int64_t last)
{
    *r = (rooms){.number = last, .files = FULL};
}

int64_t rooms_take(rooms *r, uint32_t files)
{
    if (r->files >= FULL) {
        r->number++;
        r->files = 0;
        r->seen = r->ns = 0;
    }
    r->files += files;
    return r->number;
}

void rooms_cost(rooms *r, int64_t number, int64_t files, int64_t ns)
{
    if (number != r->number)
        return;
    r->seen += files;
    r->ns += ns;
    if (r->seen < LOOK)
        return;
    int64_t each = r->ns / r->seen;
    if (r->best_ns == 0 || each < r->best_ns)
        r->best_ns = each;
    else if (each / DEAR > r->best_ns)
        r->files = FULL;
    r->seen = r->ns = 0;
}
