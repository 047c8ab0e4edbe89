/* A third version that takes over and fails before it is ready: the one before goes on. */
#define TALLY_VERSION 3
#define TALLY_FAILS
#include "tally_body.h"
