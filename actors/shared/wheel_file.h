/* wheel_file.h — the file WHEEL of a wheel's .dist-info (binary distribution format): what an installer goes by. Any thread. */
#ifndef SHARED_WHEEL_FILE_H
#define SHARED_WHEEL_FILE_H

#include "shared/wheel_name.h"

enum { PIW_WHEEL_FILE_MAX = 256 << 10 }; /* bytes: real ones have some hundred */

/* It is of the format's version 1, says where the root is installed, and its tags, when it has any, are those of the name:
 * no other one, and each. PIW_EREFUSED with a sentence, PIW_ENOMEM. */
int piw_wheel_file_check(const void *data, size_t len, const piw_wheel_name *name, piw_err *err);

#endif
