/* tidy.h — included before all else by `make tidy`: what clang's analyzer can't see from one file alone. Functions that
 * report an error return the error, never 0; without that it follows paths that don't exist. */
#include "piw/err.h"

#define piw_err_set(...)   ((void)(piw_err_set)(__VA_ARGS__), PIW_EINVAL)
#define piw_err_errno(...) ((void)(piw_err_errno)(__VA_ARGS__), PIW_ESYS)
