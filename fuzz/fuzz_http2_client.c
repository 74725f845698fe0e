/* A whole HTTP/2 connection at the client: frames of a server, good and bad, in pieces of any size, while requests
 * are sent, held up, cancelled and sent again, and a tunnel echoes. What leaves are frames; every request comes to one
 * end; nothing is left when it is over.
 * Input: 4 bytes that seed the pieces, then records: a type (above 127: the next bytes go as they are), flags, a
 * stream, a size, and so many bytes.
 * SPDX-License-Identifier: MIT */
#include "fuzz/choice.h"
#include "fuzz/fuzz.h"
#include "http/client.h"

#include <sys/socket.h>
#include <unistd.h>

enum {
    CLIENTS = 4,
    SENDS_MAX = 3,
    FRAME_HEAD_BYTES = 9,
    FRAME_BYTES_MAX = 16384,
    PREFACE_BYTES = 24,
    TURNS_MAX = 400
};

/* A client and what became of its request. */
typedef struct asker {
    dx_http_client *client;
    bool is_waiting, is_headed;
    int sends;
} asker;

static struct {
    dx_loop *loop;
    dx_net net;
    dx_http_origin origin;
    asker askers[CLIENTS];
    dx_conn *tunnel;
    int fd;
    unsigned seed;
    size_t skip;   /* of the preface */
    dx_buffer out; /* of the client, not looked at yet */
    bool is_ending;
} f;

/* ---- those who ask ---------------------------------------------------------------------------------------- */

static void ask(asker *a)
{
    static const uint8_t body[40000];
    bool has_body = (a - f.askers) % 2 == 1;

    if (a->is_waiting || a->sends >= SENDS_MAX || f.is_ending || f.origin.client == NULL)
        return;
    a->sends++;
    a->is_headed = false;
    dx_err err = dx_http_client_send(
        a->client,
        &(dx_http_client_request){.method = has_body ? DX_BYTES("POST") : DX_BYTES("GET"),
                                  .target = DX_BYTES("/live/x"),
                                  .authority = DX_BYTES("a"),
                                  .body = dx_bytes_at(body, has_body ? sizeof body : 0),
                                  .timeout_ms = 60000,
                                  .keep_alive = a->sends < SENDS_MAX});
    FUZZ_CHECK(err == DX_OK);
    a->is_waiting = true;
}

static void on_head(void *context, const dx_http_response_head *head)
{
    asker *a = context;

    FUZZ_CHECK(a->is_waiting && !a->is_headed && head->code >= 200 && head->code <= 999);
    a->is_headed = true;
    if (head->fields.count % 2 == 1)
        dx_http_client_pause(a->client);
}

static void on_body(void *context, dx_bytes piece)
{
    const asker *a = context;
    FUZZ_CHECK(a->is_headed && piece.size > 0);
}

static void on_done(void *context)
{
    asker *a = context;

    FUZZ_CHECK(a->is_waiting && a->is_headed);
    a->is_waiting = false;
    ask(a);
}

static void on_failed(void *context, dx_err err, const char *text)
{
    asker *a = context;

    FUZZ_CHECK(a->is_waiting && err != DX_OK && text[0] != '\0');
    a->is_waiting = false;
    ask(a);
}

/* ---- the tunnel --------------------------------------------------------------------------------------------- */

static size_t tunnel_on_bytes(dx_conn *conn, uint8_t *at, size_t size)
{
    size_t used = size > 3 ? size - size % 3 : size; /* leaves some, to come again */

    dx_conn_write(conn, dx_bytes_at(at, used));
    if (size % 64 == 7)
        dx_conn_finish(conn);
    else if (size % 64 == 9)
        dx_conn_abort(conn, DX_ERR_CLOSED, true);
    return used;
}

static void tunnel_on_closed(dx_conn *conn, dx_err why)
{
    (void)why;
    FUZZ_CHECK(conn == f.tunnel && dx_http2_client_why(conn)[0] != '\0');
    f.tunnel = NULL;
}

static void tunnel_on_head(dx_conn *conn, const dx_http_response_head *head)
{
    (void)head;
    dx_conn_write(conn, DX_BYTES("hello"));
}

static const dx_conn_ops tunnel_ops = {.on_bytes = tunnel_on_bytes, .on_closed = tunnel_on_closed};

static void open_tunnel(void)
{
    static const char head[] = "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
                               "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\r\n";
    dx_err err = dx_http2_client_open(f.origin.client,
                                      &(dx_http2_call){.head = dx_bytes_at(head, sizeof head - 1),
                                                       .is_tunnel = true,
                                                       .ops = &tunnel_ops,
                                                       .on_head = tunnel_on_head},
                                      &f.tunnel);
    FUZZ_CHECK(err == DX_OK);
}

/* ---- the server ------------------------------------------------------------------------------------------- */

/* All that the client sends are its preface and frames of HTTP/2, none above what a server takes that said
 * nothing. */
static void check_frames(void)
{
    size_t preface = dx_min_size(f.skip, f.out.size);

    dx_buffer_consume(&f.out, preface);
    f.skip -= preface;
    while (f.out.size >= FRAME_HEAD_BYTES) {
        size_t size = (size_t)f.out.at[0] << 16 | (size_t)f.out.at[1] << 8 | f.out.at[2];
        FUZZ_CHECK(size <= FRAME_BYTES_MAX && f.out.at[3] <= 9 && f.out.at[5] < 128);
        if (f.out.size < FRAME_HEAD_BYTES + size)
            return;
        dx_buffer_consume(&f.out, FRAME_HEAD_BYTES + size);
    }
}

static void read_some(size_t max)
{
    uint8_t piece[4096];
    ssize_t got = recv(f.fd, piece, dx_min_size(max, sizeof piece), MSG_DONTWAIT);

    if (got <= 0)
        return;
    FUZZ_CHECK(dx_buffer_append(&f.out, dx_bytes_at(piece, (size_t)got)));
    check_frames();
}

static void turn(void)
{
    dx_loop_step(f.loop, 0);
    unsigned how = (unsigned)fuzz_step(&f.seed);
    if (how % 5 == 4)
        dx_http_client_resume(f.askers[how % CLIENTS].client);
    if (how % 3 != 0)
        read_some(how * 64);
}

static void send_all(dx_bytes bytes)
{
    for (int i = 0; i < TURNS_MAX && bytes.size > 0; i++) {
        size_t size = dx_min_size(bytes.size, fuzz_step(&f.seed) + 1);
        ssize_t sent = send(f.fd, bytes.at, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0)
            dx_bytes_skip(&bytes, (size_t)sent);
        turn();
    }
}

static void send_record(dx_bytes *in)
{
    uint8_t frame[FRAME_HEAD_BYTES + 255];
    uint8_t type = fuzz_byte(in), flags = fuzz_byte(in), id = fuzz_byte(in), size = fuzz_byte(in);
    size_t head = type < 128 ? FRAME_HEAD_BYTES : 0;
    const uint8_t bytes[FRAME_HEAD_BYTES] = {0, 0, size, type, flags, 0, 0, 0, id};
    dx_bytes payload = {in->at, dx_min_size(size, in->size)};

    dx_bytes_skip(in, payload.size);
    memset(frame, 0, sizeof frame);
    memcpy(frame, bytes, head);
    dx_copy(frame + head, payload.at, payload.size);
    send_all(dx_bytes_at(frame, head + size));
}

/* ---- from the beginning to the end -------------------------------------------------------------------------- */

static void begin_once(void)
{
    if (f.loop)
        return;
    FUZZ_CHECK(dx_loop_new(&(dx_loop_options){.kind = DX_LOOP_EPOLL, .recv_bytes = 65536},
                           &f.loop) == DX_OK);
    dx_net_init(&f.net, f.loop, &DX_NET_LIMITS_DEFAULT, NULL);
}

static const dx_conn_ops before = {.on_bytes = tunnel_on_bytes, .on_closed = tunnel_on_closed};

static void begin(void)
{
    int ends[2];

    FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    f.fd = ends[1];
    f.skip = PREFACE_BYTES;
    f.is_ending = false;
    dx_http_origin_init(&f.origin, &f.net, &(dx_conn_target){.host = "a"}, DX_HTTP_VERSION_2);
    f.origin.http2.stream_window_bytes = 1000;
    dx_conn *conn = dx_conn_accept(&f.net, ends[0], &before, NULL);
    FUZZ_CHECK(conn != NULL);
    f.origin.client = dx_http2_client_begin(&f.origin, conn);
    FUZZ_CHECK(f.origin.client != NULL);
    for (int i = 0; i < CLIENTS; i++) {
        f.askers[i] = (asker){.client = dx_http_client_new(
                                  &f.origin, &(dx_http_client_handler){.head = on_head,
                                                                       .body = on_body,
                                                                       .done = on_done,
                                                                       .failed = on_failed,
                                                                       .context = &f.askers[i]})};
        FUZZ_CHECK(f.askers[i].client != NULL);
        ask(&f.askers[i]);
    }
    open_tunnel();
}

/* Whoever waits hears of the end; one of them goes before it. */
static void end(void)
{
    f.is_ending = true;
    dx_http_client_free(f.askers[0].client);
    close(f.fd);
    for (int i = 0; i < TURNS_MAX && f.net.conns_count > 0; i++) {
        for (dx_list *l = f.net.live.next; i == 10 && l != &f.net.live; l = l->next) {
            dx_conn_abort(DX_CONTAINER(l, dx_conn, link), DX_ERR_CLOSED, true);
            break; /* the first carries the others */
        }
        dx_loop_step(f.loop, 0);
    }
    FUZZ_CHECK(f.net.conns_count == 0 && f.tunnel == NULL && f.origin.client == NULL);
    for (int i = 1; i < CLIENTS; i++) {
        FUZZ_CHECK(!f.askers[i].is_waiting);
        dx_http_client_free(f.askers[i].client);
    }
    dx_http_origin_deinit(&f.origin);
    dx_buffer_clear(&f.out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dx_bytes in = dx_bytes_at(data, size);

    begin_once();
    f.seed = 0;
    for (int i = 0; i < 4; i++)
        f.seed = f.seed << 8 | fuzz_byte(&in);
    begin();
    send_all(dx_bytes_at("\0\0\0\4\0\0\0\0\0", FRAME_HEAD_BYTES));
    while (in.size > 0)
        send_record(&in);
    for (int i = 0; i < 8; i++)
        turn();
    end();
    return 0;
}
