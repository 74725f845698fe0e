/* A client of duplex.v1 with blocking sockets, for the tests of the WebSocket door.
 * Is:     opening with a subprotocol; checks of the frame that comes next.
 * Is not: frames as such (test_peer.h).
 * SPDX-License-Identifier: MIT */
#ifndef DX_SERVE_TEST_V1_H
#define DX_SERVE_TEST_V1_H

#include "codec/duplex_v1.h"
#include "serve/test_peer.h"
#include "tests/tap.h"

#include <sys/socket.h>
#include <unistd.h>

#define FOR_SERVERS(s, kept)                                                                       \
    for (const char *const *name = loop_names(); *name; name++)                                    \
        for (uint32_t workers = 1; workers <= 2; workers++)                                        \
            for (dx_server *s = server_start(*name, workers, kept); s; server_end(s), s = NULL)

/* A WebSocket that asks for `subprotocols`; the answer's head in `head`. -1 if it was refused. */
static inline int open_asking(int fd, const char *path, const char *subprotocols, answer *head)
{
    char text[8192];
    size_t size = 0;

    int length = snprintf(text, sizeof text,
                          "GET %s HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: "
                          "Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: %s\r\n"
                          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                          path, subprotocols);
    peer_write(fd, text, (size_t)length);
    memset(head, 0, sizeof *head);
    while (size < sizeof head->head - 1 && !strstr(head->head, "\r\n\r\n"))
        if (recv(fd, head->head + size++, 1, 0) != 1)
            break;
    if (sscanf(head->head, "HTTP/1.1 %u ", &head->status) == 1 && head->status == 101)
        return fd;
    close(fd);
    return -1;
}

static inline int v1_open_on(int fd, const char *path, unsigned *status)
{
    answer head;

    fd = open_asking(fd, path, DX_V1_NAME, &head);
    *status = head.status;
    return fd;
}

static inline int v1_open(dx_server *s, const char *path)
{
    unsigned status;
    int fd = v1_open_on(peer_connect(dx_server_port(s)), path, &status);

    if (fd < 0)
        TAP_FAIL("%s: status %u", path, status);
    return fd;
}

/* What `fd` gets next, whole; MESSAGE, ACK, … as read by the codec. In static memory. */
static inline dx_v1_server_frame v1_next(int fd)
{
    dx_v1_server_frame told = {.kind = (dx_v1_server_kind)99};
    const frame *f = ws_next(fd);

    if (f->opcode != 1 && f->opcode != 2) {
        printf("# a frame %x instead: %.100s\n", f->opcode, (const char *)f->payload + 2);
        return told;
    }
    dx_v1_fault fault = dx_v1_server_read(dx_bytes_at(f->payload, f->size), &told);
    if (fault != DX_V1_OK || (told.kind != DX_V1_MESSAGE && f->opcode != 1))
        TAP_FAIL("fault %d: %.200s", (int)fault, (const char *)f->payload);
    return told;
}

static inline bool v1_is(int line, int fd, dx_v1_server_kind kind, dx_v1_server_frame *ret)
{
    *ret = v1_next(fd);
    if (ret->kind == kind)
        return true;
    TAP_FAIL("line %d: a frame of kind %d, expected %d", line, (int)ret->kind, (int)kind);
    return false;
}

#define EXPECT(fd, kind, ret) v1_is(__LINE__, fd, DX_V1_##kind, ret)

/* The next is a message of this text; its cursor. */
static inline dx_offset v1_text(int line, int fd, const char *text)
{
    dx_v1_server_frame f;

    if (v1_is(line, fd, DX_V1_MESSAGE, &f) && !dx_bytes_equal(f.data, dx_bytes_of(text)))
        TAP_FAIL("line %d: \"%.*s\", expected \"%s\"", line, DX_FORMAT(f.data), text);
    return f.offset;
}

#define EXPECT_TEXT(fd, text) v1_text(__LINE__, fd, text)

static inline dx_offset v1_ack(int line, int fd, const char *id)
{
    dx_v1_server_frame f;

    if (v1_is(line, fd, DX_V1_ACK, &f) &&
        !dx_bytes_equal(dx_bytes_at(f.id, f.id_size), dx_bytes_of(id)))
        TAP_FAIL("line %d: ack of %.*s, expected %s", line, (int)f.id_size, f.id, id);
    return f.offset;
}

#define EXPECT_ACK(fd, id) v1_ack(__LINE__, fd, id)

static inline void v1_error(int line, int fd, const char *id, unsigned status)
{
    dx_v1_server_frame f;

    if (v1_is(line, fd, DX_V1_ERROR, &f) &&
        (f.status != status || !dx_bytes_equal(dx_bytes_at(f.id, f.id_size), dx_bytes_of(id))))
        TAP_FAIL("line %d: error %u of \"%.*s\", expected %u of \"%s\"", line, f.status,
                 (int)f.id_size, f.id, status, id);
}

#define EXPECT_ERROR(fd, id, status) v1_error(__LINE__, fd, id, status)

/* Skips {"caught_up":…}, which must come now; the cursor in it. */
static inline dx_offset v1_caught_up(int line, int fd)
{
    dx_v1_server_frame f = {0};

    v1_is(line, fd, DX_V1_CAUGHT_UP, &f);
    return f.offset;
}

#define EXPECT_CAUGHT_UP(fd) v1_caught_up(__LINE__, fd)

static inline bool is_silent(int fd)
{
    return ws_next_within(fd, 50)->opcode == FRAME_NONE;
}

static inline void post(dx_server *s, const char *path, const char *body)
{
    CHECK_INT(http_status(s, "POST", path, "text/plain", body), 204);
}

/* `path?offset=…`, in static memory. */
static inline const char *path_at(const char *path, dx_offset offset)
{
    static _Thread_local char text[300];
    uint8_t bytes[DX_OFFSET_SIZE];

    dx_offset_write(offset, bytes);
    snprintf(text, sizeof text, "%s%coffset=%.*s", path, strchr(path, '?') ? '&' : '?',
             DX_OFFSET_SIZE, (const char *)bytes);
    return text;
}

/* The whole log as one text. */
static inline void check_log(int line, dx_server *s, const char *path, const char *want)
{
    char start[300];

    snprintf(start, sizeof start, "%s?offset=-1", path);
    answer get = http_get(s, start);
    if (get.size != strlen(want) || memcmp(get.body, want, get.size) != 0)
        TAP_FAIL("line %d: the log is \"%.*s\", expected \"%s\"", line, (int)get.size, get.body,
                 want);
    answer_free(&get);
}

#endif
