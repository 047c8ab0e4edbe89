/* firsts.c — packages that an operator put first, until the database has been told. */
#include "firsts.h"

#include "piw/err.h"

#include <stdlib.h>

void firsts_add(first_orders *orders, piw_token answer, const char *package)
{
    first_order *order = piw_zalloc(sizeof(*order));
    order->answer = answer;
    order->package = piw_strdup(package);
    if (orders->last != NULL)
        orders->last->next = order;
    else
        orders->first = order;
    orders->last = order;
    orders->count++;
}

bool firsts_take(first_orders *orders, first_order *taken)
{
    first_order *order = orders->first;
    if (order == NULL)
        return false;
    *taken = *order;
    orders->first = order->next;
    if (orders->first == NULL)
        orders->last = NULL;
    orders->count--;
    free(order);
    return true;
}

void firsts_fini(first_orders *orders)
{
    first_order order;
    while (firsts_take(orders, &order))
        free(order.package);
}

void firsts_save(const first_orders *orders, piw_msg *msg, architect_state *state)
{
    piw_msg_list(msg, &state->firsts, orders->count);
    uint32_t i = 0;
    for (const first_order *order = orders->first; order != NULL; order = order->next)
        state->firsts.at[i++] = (architect_first){order->answer, piw_msg_textz(msg, order->package)};
}

void firsts_load(first_orders *orders, const architect_state *state)
{
    for (uint32_t i = 0; i < state->firsts.count; i++)
        firsts_add(orders, state->firsts.at[i].answer, state->firsts.at[i].package.s);
}
