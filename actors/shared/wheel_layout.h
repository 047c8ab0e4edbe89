/* wheel_layout.h — the folders of a wheel: one NAME-VERSION.dist-info, and at most one NAME-VERSION.data with installers'
 * schemes in it. Any thread. */
#ifndef SHARED_WHEEL_LAYOUT_H
#define SHARED_WHEEL_LAYOUT_H

#include "shared/wheel_name.h"
#include "shared/zip.h"

/* Look at all members' names. *dist_info is the folder with its '/', in the archive's bytes. PIW_EREFUSED with a
 * sentence. */
int piw_wheel_layout_check(const piw_zip *zip, const piw_wheel_name *name, piw_text *dist_info, piw_err *err);

#endif
