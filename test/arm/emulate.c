/* emulate — runs an ARM program with qemu as the processor it is meant for.
 *
 * The kernel starts it with `emulate PATH ARGV0 ARGUMENTS…` (binfmt_misc, flag P) for each ARM program that is executed in the
 * namespace where it is registered (test/arm/within). Environments may be emptied on the way, so what qemu must know is
 * compiled in: QEMU, CPU, and PREFIX, the folder with the other machine's libraries. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

extern char **environ;

/* What the program's dynamic linker is told (ldd does it so) isn't meant for the linker of qemu: it goes there by option. */
static int divert(char **words, int n)
{
    char **kept = environ;
    for (char **at = environ; *at != NULL; at++) {
        if (strncmp(*at, "LD_", 3) == 0) {
            words[n++] = "-E";
            words[n++] = *at;
        } else {
            *kept++ = *at;
        }
    }
    *kept = NULL;
    return n;
}

int main(int argc, char *argv[])
{
    if (argc < 3) {
        fputs("usage: emulate PATH ARGV0 [ARGUMENT…]\n", stderr);
        return 2;
    }
    /* What prctl.c says then. Builds don't have the variable. */
    if (getenv("PIW_SUBREAPER") != NULL && prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) {
        perror("prctl");
        return 126;
    }
    int variables = 0;
    while (environ[variables] != NULL)
        variables++;
    char **words = calloc((size_t)argc + 2 * (size_t)variables + 9, sizeof(*words));
    if (words == NULL)
        return 126;
    int n = 0;
    words[n++] = QEMU;
    words[n++] = "-cpu";
    words[n++] = CPU;
    words[n++] = "-L";
    words[n++] = PREFIX;
    n = divert(words, n);
    words[n++] = "-0";
    words[n++] = argv[2];
    words[n++] = argv[1];
    for (int i = 3; i < argc; i++)
        words[n++] = argv[i];
    execv(QEMU, words);
    perror(QEMU);
    return 126;
}
