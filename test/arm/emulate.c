/* emulate — runs an ARM program with qemu-arm as the processor it is meant for.
 *
 * The kernel starts it with `emulate PATH ARGV0 ARGUMENTS…` (binfmt_misc, flag P) for each ARM program that is executed in the
 * namespace where it is registered (test/arm/within). Environments may be emptied on the way, so what qemu must know is
 * compiled in: QEMU, CPU, and PREFIX, the folder with the other machine's libraries. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char *argv[])
{
    if (argc < 3) {
        fputs("usage: emulate PATH ARGV0 [ARGUMENT…]\n", stderr);
        return 2;
    }
    char **words = calloc((size_t)argc + 6, sizeof *words);
    if (words == NULL)
        return 126;
    char *head[] = {"qemu-arm", "-cpu", CPU, "-L", PREFIX, "-0", argv[2], argv[1]};
    size_t n = 0;
    for (; n < sizeof head / sizeof head[0]; n++)
        words[n] = head[n];
    for (int i = 3; i < argc; i++)
        words[n++] = argv[i];
    execv(QEMU, words);
    perror(QEMU);
    return 126;
}
