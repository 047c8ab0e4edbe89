/* released.c — the time of a release as it is written on the command line. */
#include "released.h"

#include "piw/codec.h"

int add_released_parse(const char *text, piw_time *time, piw_err *err)
{
    static const char form[] = "0000-00-00 00:00:00"; /* 0: a digit */
    char moment[sizeof(form) + 1];
    size_t len = sizeof(form) - 1;
    bool good = strlen(text) == len;
    for (size_t i = 0; good && i < len; i++)
        good = form[i] == '0' ? text[i] >= '0' && text[i] <= '9' : text[i] == form[i];
    if (good) {
        memcpy(moment, text, len);
        moment[10] = 'T';
        moment[len] = 'Z';
        moment[len + 1] = '\0';
        good = piw_time_parse(moment, len + 1, time) == 0;
    }
    if (good)
        return 0;
    return piw_err_set(err, PIW_EUSAGE, "'%.50s' is no time; write YYYY-MM-DD HH:MM:SS, in UTC", text);
}

piw_time add_released_now(void)
{
    piw_time now = piw_time_now();
    now.us -= now.us % 1000000;
    return now;
}
