/* fake_house — fake_farm without the stats service, for when big_brother is there itself. */
#define FAKE_WITHOUT_STATS
#include "fake_farm.c"
