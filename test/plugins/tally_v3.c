/* Version 3 of the tally. */
#define TALLY_VERSION 3
#include "tally_body.h"
