/* Version 1 of the tally. */
#define TALLY_VERSION 1
#include "tally_body.h"
