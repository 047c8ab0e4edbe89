/* The task behind the crowd queue, version 1. */
#include "crowd_body.h"

CROWD_PLUGIN("1");
