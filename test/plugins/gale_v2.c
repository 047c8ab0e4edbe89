/* The task behind the gale queue, version 2. */
#include "gale_body.h"

GALE_PLUGIN("2");
