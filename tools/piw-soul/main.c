/* piw-soul — holds the soul of one task with isolate = process. piw-master starts it; it is of no use by hand. */
#include "soul.h"

int main(int argc, char **argv)
{
    return piw__soul_main(argc, argv);
}
