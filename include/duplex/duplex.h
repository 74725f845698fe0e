/* Duplex: every stream is a URL. The whole public interface.
 * SPDX-License-Identifier: MIT */
#ifndef DUPLEX_DUPLEX_H
#define DUPLEX_DUPLEX_H

#include <duplex/alarm.h>
#include <duplex/client.h>
#include <duplex/http.h>
#include <duplex/remote.h>
#include <duplex/server.h>
#include <duplex/stream.h>
#include <duplex/types.h>
#include <duplex/websocket.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of the library, such as "0.1.0". */
DX_API const char *dx_version(void);

#ifdef __cplusplus
}
#endif
#endif
