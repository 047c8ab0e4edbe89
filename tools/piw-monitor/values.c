/* values.c — figures of a machine, if they are known. */
#include "model.h"

#include <math.h>

static bool percent_used(int64_t size, int64_t available, double *value)
{
    if (size <= 0)
        return false;
    double used = 100 * (1 - (double)available / (double)size);
    *value = used < 0 ? 0 : used > 100 ? 100 : used;
    return true;
}

bool model_value(const model_machine *machine, model_figure figure, double *value)
{
    if (!machine->known)
        return false;
    switch (figure) {
    case FIGURE_DISK:
        return percent_used(machine->disk_size, machine->disk_free, value);
    case FIGURE_MEMORY:
        return percent_used(machine->mem_size, machine->mem_free, value);
    case FIGURE_SWAP:
        return percent_used(machine->swap_size, machine->swap_free, value);
    case FIGURE_LOAD:
        *value = machine->load_average;
        return isfinite(*value) && *value >= 0;
    case FIGURE_TEMPERATURE:
        *value = machine->cpu_temp;
        return isfinite(*value) && *value > 0 && *value < 1000; /* 0: it has no sensor */
    default:
        return false;
    }
}
