/* Version 2 of the tally. */
#define TALLY_VERSION 2
#include "tally_body.h"
