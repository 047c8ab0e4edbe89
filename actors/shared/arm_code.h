/* arm_code.h — what the code in a 32-bit ARM ELF file asks of the machine: its build attributes, read for Raspberry Pis.
 *
 * The rules, with what they say of real libraries, are in docs/armv6.md. Any thread. */
#ifndef SHARED_ARM_CODE_H
#define SHARED_ARM_CODE_H

#include "piw/base.h"

typedef struct piw_arm_code {
    bool hard_float;    /* passes floating-point arguments in registers, or has no code at all */
    bool firmware;      /* for a processor without Linux: profile M or R */
    bool interpreted;   /* a program that the dynamic linker loads */
    const char *beyond; /* what is beyond the ARMv6 of a linux_armv6l machine; NULL: nothing. A constant. */
} piw_arm_code;

/* Look at a whole file. What can't be read is taken for what ARMv6 can't run. */
piw_arm_code piw_arm_code_of(const void *data, size_t len);

#endif
