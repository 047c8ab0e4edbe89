/* programs.h — the sections of the farm's configuration files, which all of its programs share. */
#ifndef COMMON_PROGRAMS_H
#define COMMON_PROGRAMS_H

#include "piw/options.h"

extern const piw_config_section farm_sections[];

#endif
