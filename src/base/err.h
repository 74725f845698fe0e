/* Errors of the machine: errno to dx_err and back to words.
 * Is:     the one table between the system's numbers and ours.
 * Is not: faults of the peer (codec enums).
 * SPDX-License-Identifier: MIT */
#ifndef DX_BASE_ERR_H
#define DX_BASE_ERR_H

#include "base/platform.h"

/* The dx_err for a positive errno value; 0 gives DX_OK, an unlisted one DX_ERR_SYSTEM. */
dx_err dx_err_from_errno(int code);

#endif
