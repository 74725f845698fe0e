/* What followers and publishers have in common.
 * SPDX-License-Identifier: MIT */
#ifndef DX_CLIENT_REMOTE_H
#define DX_CLIENT_REMOTE_H

#include "base/buffer.h"
#include "client/client.h"
#include "codec/duplex_v1.h"

#include <duplex/remote.h>

/* What a status of HTTP, or 4000 and one as a close code, means for the program. */
dx_err dx_remote_err(unsigned status);

/* It may be different next time: none came, 408, 425, 429, and those from 500 on. */
bool dx_remote_is_passing(unsigned status);
/* The same of a close code. */
bool dx_remote_is_passing_close(uint16_t code);

/* Writes the sentence "the server ended it: 4404 …" for a close. */
enum { DX_REMOTE_WHY_BYTES = 256 };
void dx_remote_close_text(uint16_t code, dx_bytes reason, char text[DX_REMOTE_WHY_BYTES]);

/* `url` with a parameter behind its query, NUL-terminated. NULL when memory is out. value: needs no encoding. */
char *dx_remote_url(const char *url, const char *name, const char *value);

#endif
