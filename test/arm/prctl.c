/* prctl.c — the one call of piw-slave that qemu doesn't pass on: to be the parent of orphans. The process is that already,
 * emulate.c has seen to it; preloaded, this says so. */
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int prctl(int option, ...)
{
    if (option == PR_SET_CHILD_SUBREAPER)
        return 0;
    unsigned long words[4];
    va_list args;
    va_start(args, option);
    for (int i = 0; i < 4; i++)
        words[i] = va_arg(args, unsigned long);
    va_end(args);
    return (int)syscall(SYS_prctl, option, words[0], words[1], words[2], words[3]);
}
