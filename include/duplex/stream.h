/* Streams: logs of messages at URLs, read by HTTP and WebSocket.
 * Is:     serving them on a prefix, publishing from within the program.
 * Is not: a client of somebody else's streams.
 * SPDX-License-Identifier: MIT */
#ifndef DUPLEX_STREAM_H
#define DUPLEX_STREAM_H

#include <duplex/server.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What is kept of each stream; zero means the default. */
typedef struct dx_stream_options {
    uint32_t kept_count_max; /* messages; default 1000 */
    uint64_t kept_bytes_max; /* of payload; default 16 MiB. The newest message stays in any case */
    uint64_t kept_ms_max;    /* age; default 1 hour */
} dx_stream_options;

/* Serves streams at the paths below `prefix` ("/live/"): made on first use, kept in memory. POST
 * appends, GET reads what has happened, a WebSocket carries what happens next, both ways.
 * options: borrowed; NULL for all defaults.
 * Errors: DX_ERR_NAME (a prefix that does not begin and end with "/"), DX_ERR_CONFLICT, DX_ERR_MEMORY. */
DX_API dx_err dx_server_streams(dx_server *server, const char *prefix, const dx_stream_options *options);

typedef struct dx_publication {
    dx_bytes stream; /* its path, such as "/live/prices"; at most 1024 bytes */
    dx_bytes type;   /* Content-Type; a stream has one, that of its first message */
    dx_bytes payload;
} dx_publication;

/* err: DX_OK; DX_ERR_CONFLICT (the stream has another type); DX_ERR_MEMORY; DX_ERR_CLOSED (the server has
 * stopped meanwhile). next_offset: the position behind the message, as text, if DX_OK; borrowed. */
typedef void dx_publish_done(dx_err err, dx_bytes next_offset, void *context);

/* Appends one message to a stream of a running server. publication: borrowed, copied once. done: called
 * once on a worker's thread, or never if an error is returned; may be NULL.
 * Errors: DX_ERR_NAME (not a path of a stream), DX_ERR_TOO_LARGE, DX_ERR_CONFLICT (the payload is not JSON
 * or UTF-8 though its type says so), DX_ERR_BUSY (try later), DX_ERR_CLOSED (the server does not run),
 * DX_ERR_MEMORY.
 * Threads: any.   Cost: O(1); delivery costs O(subscribers) on their workers. */
DX_API DX_MUST_USE dx_err dx_publish(dx_server *server, const dx_publication *publication,
                                     dx_publish_done *done, void *context);

#ifdef __cplusplus
}
#endif
#endif
