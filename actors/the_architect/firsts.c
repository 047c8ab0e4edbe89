/* firsts.c — packages that an operator put first, until the database has been told. */
#include "firsts.h"

#include "piw/err.h"

#include <stdlib.h>

void firsts_add(first_commands *commands, piw_token answer, const char *package)
{
    first_command *command = piw_zalloc(sizeof(*command));
    command->answer = answer;
    command->package = piw_strdup(package);
    if (commands->last != NULL)
        commands->last->next = command;
    else
        commands->first = command;
    commands->last = command;
    commands->count++;
}

bool firsts_take(first_commands *commands, first_command *taken)
{
    first_command *command = commands->first;
    if (command == NULL)
        return false;
    *taken = *command;
    commands->first = command->next;
    if (commands->first == NULL)
        commands->last = NULL;
    commands->count--;
    free(command);
    return true;
}

void firsts_fini(first_commands *commands)
{
    first_command command;
    while (firsts_take(commands, &command))
        free(command.package);
}

void firsts_save(const first_commands *commands, piw_msg *msg, architect_state *state)
{
    piw_msg_list(msg, &state->firsts, commands->count);
    uint32_t i = 0;
    for (const first_command *command = commands->first; command != NULL; command = command->next)
        state->firsts.at[i++] = (architect_first){command->answer, piw_msg_textz(msg, command->package)};
}

void firsts_load(first_commands *commands, const architect_state *state)
{
    for (uint32_t i = 0; i < state->firsts.count; i++)
        firsts_add(commands, state->firsts.at[i].answer, state->firsts.at[i].package.s);
}
