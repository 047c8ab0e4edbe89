/* tell.c — telling others: monitors what is new, the farm whether it pauses. */
#include "big_brother/brother.h"

#include "events.piw.h"

void brother_publish(brother *self, piw_msg **msg)
{
    int failed = piw_publish(self->task, msg);
    if (failed != 0) {
        piw_debug("a message for monitors is lost: %s", piw_err_name(failed));
        piw_msg_free(msg);
    }
}

bool brother_paused(const brother *self)
{
    return self->farm.operator_pause || self->farm.disk_pause || self->site_pause;
}

void brother_say_pause(brother *self, const char *why)
{
    piw_msg *event = farm_paused_make(brother_paused(self), piw_text_of(why), self->farm.operator_pause);
    if (piw_emit(self->task, &event) == 0)
        return;
    piw_warning("the pause of the farm could not be announced");
    piw_msg_free(&event);
}
