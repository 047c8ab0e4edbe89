/* place.c — a slave's place in the loop: what of it is watched, its turn, its end. */
#include "load.h"

#include <stdlib.h>
#include <sys/epoll.h>

int load_watch_fd(int epoll_fd, int fd, int64_t key, piw_err *err)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = (uint64_t)key};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
        return piw_err_errno(err, "can't watch a descriptor");
    return 0;
}

static int64_t get_in_line(load_line *line, int64_t size, int number)
{
    int64_t place = (line->first + line->count++) % size;
    line->at[place] = number;
    return place;
}

static load_slave *take_first(load *all, load_line *line)
{
    load_slave *slave = &all->slaves[line->at[line->first]];
    line->first = (line->first + 1) % all->settings.slaves;
    line->count--;
    return slave;
}

void load_want_turn(load_slave *slave)
{
    load *all = slave->load;
    slave->phase = LOAD_RESTS;
    get_in_line(&all->turns, all->settings.slaves, slave->number);
}

void load_want_rest(load_slave *slave)
{
    load *all = slave->load;
    slave->phase = LOAD_RESTS;
    int64_t place = get_in_line(&all->rests, all->settings.slaves, slave->number);
    all->wakes[place] = piw_monotonic_ns() + all->settings.poll_ms * INT64_C(1000000);
}

load_slave *load_next_turn(load *all)
{
    return all->turns.count > 0 ? take_first(all, &all->turns) : NULL;
}

void load_wake(load *all, int64_t now_ns)
{
    while (all->rests.count > 0 && (all->stopping || now_ns >= all->wakes[all->rests.first])) {
        load_slave *slave = take_first(all, &all->rests);
        if (slave->phase != LOAD_ENDED)
            load_want_turn(slave);
    }
}

void load_slave_close(load_slave *slave)
{
    if (slave->phase == LOAD_ENDED)
        return;
    slave->phase = LOAD_ENDED;
    slave->load->ended++;
    load_peer_close(&slave->master);
    load_peer_close(&slave->files);
    for (int64_t i = 0; slave->wheels != NULL && i < slave->load->kinds.files_max; i++)
        load_wheel_fini(&slave->wheels[i]);
    free(slave->wheels);
    slave->wheels = NULL;
}

void load_slave_lose(load_slave *slave, piw_err *err)
{
    load_violation(&slave->load->figures, "slave %d (%lld): %s", slave->number, (long long)slave->id, err->text);
    *err = (piw_err){0};
    load_slave_close(slave);
}
