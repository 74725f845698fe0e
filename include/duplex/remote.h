/* Streams of other servers: following them without a gap or a duplicate, publishing to them once.
 * Is:     a follower that resumes by its cursor; a publisher whose messages are acknowledged, and sent again
 *         without becoming two.
 * Is not: streams of a server in this program (stream.h). Making, reading and deleting them is HTTP
 *         (dx_client_request; the doors are described in docs/streams.md).
 * Memory: a follower holds its cursor; a publisher what is not acknowledged yet, up to a limit.
 * Threads: those of the client (client.h): everything here, and every callback, on its one thread.
 * SPDX-License-Identifier: MIT */
#ifndef DUPLEX_REMOTE_H
#define DUPLEX_REMOTE_H

#include <duplex/client.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- following -------------------------------------------------------------------------------- */

/* It lives until its `end` returns, dx_follower_free, or the end of its client. */
typedef struct dx_follower dx_follower;

/* Messages that are not retained any more: told instead of them, never passed over in silence. */
typedef struct dx_follow_gap {
    dx_bytes earliest; /* where it goes on */
    uint64_t lost;     /* how many messages; 0: that is not known */
} dx_follow_gap;

/* What happens to a stream that is followed. Slots may be NULL; views are borrowed. */
typedef struct dx_follow_handler {
    /* offset: the cursor behind it. Whoever keeps it together with what came of the message, and begins with
     * it the next time, has seen every message once. */
    void (*message)(dx_follower *follower, dx_bytes offset, dx_bytes payload, void *context);
    /* All that had happened before is delivered; what comes now is live. After each connecting. */
    void (*caught_up)(dx_follower *follower, dx_bytes offset, void *context);
    void (*gap)(dx_follower *follower, const dx_follow_gap *gap, void *context);
    /* The connection was lost, or there is none yet: it is tried again after `again_ms`. why: one line. */
    void (*trouble)(dx_follower *follower, const char *why, uint32_t again_ms, void *context);
    /* The last call. err: DX_OK (the stream was closed: there is nothing more to come), DX_ERR_NOT_FOUND (there is
     * none, or it was deleted), DX_ERR_DENIED, DX_ERR_NAME (the server does not like the URL), DX_ERR_PROTOCOL,
     * DX_ERR_CLOSED (the client ends). status: of HTTP, or a close code of WebSocket, 0: neither. text: one line. */
    void (*end)(dx_follower *follower, dx_err err, unsigned status, const char *text, void *context);
    void *context;
} dx_follow_handler;

/* Everything may be left zero. */
typedef struct dx_follow_options {
    const char *offset;       /* "-1": from the start; "now" (default); or a cursor: behind it */
    const dx_header *headers; /* further fields of each handshake, such as Authorization */
    size_t headers_count;
} dx_follow_options;

/* Follows the stream at `url` (ws, wss, http or https) over WebSocket with duplex.v1, connecting again for ever
 * when the connection is lost. ret: may be NULL.
 * Errors: as for dx_client_connect, and DX_ERR_NAME for an offset that is none. Nothing is called then. */
DX_API DX_MUST_USE dx_err dx_client_follow_sized(dx_client *client, const char *url,
                                                 const dx_follow_options *options, size_t options_size,
                                                 const dx_follow_handler *handler, size_t handler_size,
                                                 dx_follower **ret);
DX_MUST_USE static inline dx_err dx_client_follow(dx_client *client, const char *url,
                                                  const dx_follow_options *options,
                                                  const dx_follow_handler *handler, dx_follower **ret)
{
    return dx_client_follow_sized(client, url, options, sizeof *options, handler, sizeof *handler, ret);
}

/* The cursor behind what was delivered: text, a view until the next callback. Before there is one, what it was to
 * begin with. */
DX_API dx_bytes dx_follower_offset(const dx_follower *follower);

/* Stops and goes on: meanwhile the server keeps the messages, and nothing is held here. */
DX_API void dx_follower_pause(dx_follower *follower);
DX_API void dx_follower_resume(dx_follower *follower);

/* Leaves the stream; nothing is called any more. Not in its `end`. NULL is allowed. */
DX_API void dx_follower_free(dx_follower *follower);

/* ---- publishing ------------------------------------------------------------------------------- */

/* It lives until dx_publisher_free, or the end of its client. */
typedef struct dx_publisher dx_publisher;

/* type: the Content-Type of what is published; all else may be left zero. */
typedef struct dx_publisher_options {
    const char *type;
    const dx_header *headers; /* further fields of requests and handshakes, such as Authorization */
    size_t headers_count;
    size_t queue_count_max; /* messages that wait for their acknowledgement; 0: 1000 */
    size_t queue_bytes_max; /* likewise; 0: 16 MiB */
} dx_publisher_options;

/* A publisher for the stream at `url` (ws, wss, http or https), given to the caller. Nothing is sent yet.
 * Errors: as for dx_client_connect, and DX_ERR_NAME without a type. */
DX_API DX_MUST_USE dx_err dx_client_publisher_sized(dx_client *client, const char *url,
                                                    const dx_publisher_options *options,
                                                    size_t options_size, dx_publisher **ret);
DX_MUST_USE static inline dx_err dx_client_publisher(dx_client *client, const char *url,
                                                     const dx_publisher_options *options,
                                                     dx_publisher **ret)
{
    return dx_client_publisher_sized(client, url, options, sizeof *options, ret);
}

/* What became of a message; views for the call. */
typedef struct dx_published {
    dx_err err;        /* DX_OK: it is in the stream, as safe as that promises. DX_ERR_CLOSED: the publisher ended
                          before that was known. Else the server refuses it: it is not in the stream */
    dx_bytes offset;   /* if DX_OK: the cursor behind it; empty if it was told of an earlier try only */
    unsigned status;   /* of the answer that refused it */
    const char *text;  /* one line */
} dx_published;
typedef void dx_published_done(const dx_published *what, void *context);

/* Publishes one message, in the order of calls. payload: borrowed, copied; UTF-8 or JSON if the type says so. It
 * is sent until the server has answered, over as many connections as that takes; as often as it is sent, it stands
 * in the stream once (idempotent producers). done: called once, never from in here; may be NULL.
 * Errors: DX_ERR_BUSY (the queue is full: wait for a `done`), DX_ERR_MEMORY: it is not sent. */
DX_API DX_MUST_USE dx_err dx_publisher_send(dx_publisher *publisher, dx_bytes payload,
                                            dx_published_done *done, void *context);

/* Messages that are not acknowledged yet. */
DX_API size_t dx_publisher_waiting(const dx_publisher *publisher);

/* Ends it: for messages that wait, `done` is called with DX_ERR_CLOSED: whether they are in the stream is not
 * known. Not in one of these; in any other callback it may be called. NULL is allowed. */
DX_API void dx_publisher_free(dx_publisher *publisher);

#ifdef __cplusplus
}
#endif
#endif
