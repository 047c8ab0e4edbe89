/* programs.h — what all programs of the farm share: the sections of their configuration files, what a task may be called. */
#ifndef COMMON_PROGRAMS_H
#define COMMON_PROGRAMS_H

#include "piw/options.h"

enum { FARM_TASK_NAME_MAX = 40 }; /* characters of a task's name */

extern const piw_config_section farm_sections[];

#endif
