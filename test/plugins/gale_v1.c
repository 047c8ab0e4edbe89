/* The task behind the gale queue, version 1. */
#include "gale_body.h"

GALE_PLUGIN("1");
