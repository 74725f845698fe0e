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

/* What an acknowledged message survives. */
typedef enum dx_stream_durability {
    DX_STREAM_IN_MEMORY, /* nothing: it is in this process */
    DX_STREAM_ON_DISK,   /* this process, the kernel, power. In a server without a store such streams are
                            kept in memory all the same, and every answer says so */
} dx_stream_durability;

/* Who may do something with a stream. */
typedef enum dx_stream_may {
    DX_MAY_DEFAULT, /* anyone; where the prefix has {sub}: DX_MAY_SUB to read, delete and see presence */
    DX_MAY_ANYONE,
    DX_MAY_NOBODY,
    DX_MAY_KNOWN, /* whoever is known (dx_server_options.subject_header, tls_client_ca) */
    DX_MAY_SUB,   /* whose name is what {sub} in the prefix stands for */
    DX_MAY_TOKEN, /* who has a capability for it */
} dx_stream_may;

typedef struct dx_stream_access {
    dx_stream_may read, publish, create, remove, presence;
} dx_stream_access;

/* "No bound" for what is kept. */
#define DX_UNBOUNDED UINT64_MAX
#define DX_UNBOUNDED_COUNT UINT32_MAX

/* The policy of all streams below a prefix; zero means the default. */
typedef struct dx_stream_options {
    uint32_t kept_count_max; /* messages; default 1000, on disk no bound */
    uint64_t kept_bytes_max; /* of payload; default 16 MiB, on disk no bound. The newest message stays in
                                any case. No bound, in memory for want of a store: 64 MiB */
    uint64_t kept_ms_max;    /* age; default 1 hour, on disk no bound */
    bool is_by_put;          /* made by PUT only; default: on first use, too */
    dx_stream_durability durability;
    const char *type;           /* the content type of all of them, at most 255 bytes; default: each has
                                   the one it was made with */
    uint32_t message_bytes_max; /* of one message; default 1 MiB or what a WebSocket message may have,
                                   if that is more; at most 1 GiB */
    uint32_t append_rate_max;   /* messages a second and stream, a burst of as many; default: no bound */
    dx_stream_access access;
} dx_stream_options;

/* Serves streams at the paths below `prefix`: "/live/", or "/u/{sub}/", where {sub} stands for one segment,
 * the name of whom they belong to. POST appends, GET reads what has happened, a WebSocket carries what
 * happens next, both ways.
 * options: borrowed, texts copied; NULL for all defaults.
 * Errors: DX_ERR_NAME (a prefix that does not begin and end with "/" or is longer than 128 bytes, an
 * option that makes no sense), DX_ERR_CONFLICT, DX_ERR_MEMORY. */
DX_API dx_err dx_server_streams_sized(dx_server *server, const char *prefix,
                                      const dx_stream_options *options, size_t options_size);
static inline dx_err dx_server_streams(dx_server *server, const char *prefix,
                                       const dx_stream_options *options)
{
    return dx_server_streams_sized(server, prefix, options, sizeof *options);
}

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
