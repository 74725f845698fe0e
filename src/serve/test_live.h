/* A client of the doors that go on, for tests: one response of events, taken apart as it comes.
 * Is:     over serve/test_peer.h; chunks and events by the codec's readers.
 * Memory: one `live` at a time holds what came and was not looked at yet; live_close.
 * SPDX-License-Identifier: MIT */
#ifndef DX_SERVE_TEST_LIVE_H
#define DX_SERVE_TEST_LIVE_H

#include "codec/http_chunk.h"
#include "codec/sse.h"
#include "serve/door.h"
#include "serve/test_peer.h"

/* A server with streams at /live/ that keeps its clients for so long. Aborts if it cannot. */
dx_server *live_server_start(const char *loop, uint32_t workers, const dx_live_times *times);
/* To the one that was started last: what its kernel buffers hold does not depend on the network's. */
int live_connect_unix(void);

typedef enum live_end {
    LIVE_OPEN,
    LIVE_ENDED, /* the response is whole; the connection may go on */
    LIVE_CUT,   /* the connection has ended in the middle of it */
} live_end;

typedef struct live {
    int fd;
    unsigned status;
    char head[4096];
    bool is_chunked;
    live_end end;
    dx_http_chunks chunks;
    dx_sse_reader events;
    dx_buffer in;          /* received, not read yet */
    dx_buffer content;     /* of the response, not read yet */
    bool is_whole;         /* the content is */
    size_t comments_count; /* empty comments: the server's sign of life */
    /* the last event; each ends with NUL */
    char type[DX_SSE_TYPE_BYTES_MAX + 1], id[DX_SSE_ID_BYTES_MAX + 1];
    char *data;
    size_t data_size;
} live;

/* Sends a GET and reads the head of the answer. fields: lines with CRLF, or "". */
void live_open(live *l, dx_server *server, const char *path, const char *fields);
/* The same on a connection (taken). */
void live_open_on(live *l, int fd, const char *path, const char *fields);
/* Another request on the same connection, once the response before has ended. */
void live_again(live *l, const char *path, const char *fields);
void live_close(live *l);

const char *live_field(const live *l, const char *name);

/* The next event, within wait_ms; false: the response has ended (l->end), or nothing came. */
bool live_next_within(live *l, int wait_ms);
bool live_next(live *l); /* 10 s */
/* The next event has this type and data. */
bool live_is(live *l, const char *type, const char *data);
/* Nothing comes for 50 ms, and the response goes on. */
bool live_is_silent(live *l);
/* Reads to the end of the response. */
live_end live_to_end(live *l);

/* A string member of the JSON in the last event's data, in static memory; "" if there is none. */
const char *live_member(const live *l, const char *name);

#endif
