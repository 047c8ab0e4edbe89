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

int load_watch(load_slave *slave, const piw_client *client, bool files, piw_err *err)
{
    return load_watch_fd(slave->load->epoll_fd, piw_client_fd(client), slave->number * 2 + (files ? 1 : 0), err);
}

void load_want_turn(load_slave *slave)
{
    load *all = slave->load;
    slave->phase = LOAD_RESTS;
    slave->wake_ns = 0;
    all->turns[(all->turns_first + all->turns_count++) % all->settings.slaves] = slave->number;
}

void load_slave_close(load_slave *slave)
{
    if (slave->phase == LOAD_ENDED)
        return;
    slave->phase = LOAD_ENDED;
    slave->load->ended++;
    piw_client_close(&slave->master);
    piw_client_close(&slave->files);
    for (int64_t i = 0; slave->wheels != NULL && i < slave->load->settings.files; i++)
        load_wheel_fini(&slave->wheels[i]);
    free(slave->wheels);
    slave->wheels = NULL;
}
