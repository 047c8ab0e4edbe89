/* The task behind the crowd queue, version 2. */
#include "crowd_body.h"

CROWD_PLUGIN("2");
