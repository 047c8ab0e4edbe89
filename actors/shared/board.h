/* board.h — which Raspberry Pi this is, as its firmware tells, and what a revision code stands for. Any thread. */
#ifndef SHARED_BOARD_H
#define SHARED_BOARD_H

#include "piw/base.h"

#define PIW_BOARD_FOLDER "/proc/device-tree/system"

enum {
    PIW_BOARD_FACT = 24, /* bytes that a fact takes */
    PIW_BOARD_NAME = 48, /* bytes that a name takes */
};

/* The board's revision code and its serial number, as lower case hex without leading zeros; "unknown" on other machines.
 * `folder` is PIW_BOARD_FOLDER; `to` has PIW_BOARD_FACT bytes. */
void piw_board_revision(const char *folder, char *to);
void piw_board_serial(const char *folder, char *to);

/* "Pi 4 Model B 1.2, 4 GB" for "c03112". False: no code that is known; `to` (PIW_BOARD_NAME bytes) is "" then. */
bool piw_board_name(const char *code, char *to);

#endif
