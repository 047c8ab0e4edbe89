/* version.h — which release of the runtime a file is compiled for, and how it was built. */
#ifndef PIW_VERSION_H
#define PIW_VERSION_H

#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The release: that of the stock programs whose database, wire and options it speaks. */
#define PIW_VERSION_MAJOR 0
#define PIW_VERSION_MINOR 23
#define PIW_VERSION       "0.23"
/* For comparisons by the preprocessor: rises with every release. */
#define PIW_VERSION_NUMBER (PIW_VERSION_MAJOR * 1000 + PIW_VERSION_MINOR)

/* The runtime's binary interface, which is also the number in the library's name (libpiw.so.1). A plugin built for
 * another number is refused by name. */
#define PIW_ABI 1

#if defined(__SANITIZE_ADDRESS__)
#define PIW_SANITIZER 1
#elif defined(__SANITIZE_THREAD__)
#define PIW_SANITIZER 2
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PIW_SANITIZER 1
#elif __has_feature(thread_sanitizer)
#define PIW_SANITIZER 2
#endif
#endif
#ifndef PIW_SANITIZER
#define PIW_SANITIZER 0
#endif

/* What must be the same on both sides of the border beside the headers. The loader compares it field by field. */
typedef struct piw_build {
    uint8_t pointer_bytes;
    uint8_t time_bytes;   /* time_t: 8 needs -D_TIME_BITS=64 on 32-bit machines */
    uint8_t offset_bytes; /* off_t: 8 needs -D_FILE_OFFSET_BITS=64 there */
    uint8_t sanitizer;    /* 0: none, 1: address, 2: thread */
} piw_build;
#define PIW_BUILD                                                                                                      \
    {                                                                                                                  \
        sizeof(void *), sizeof(time_t), sizeof(off_t), PIW_SANITIZER                                                   \
    }

#ifdef __cplusplus
}
#endif

#endif
