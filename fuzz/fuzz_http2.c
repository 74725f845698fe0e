/* A whole HTTP/2 connection: frames, good and bad, in pieces of any size, while the server answers now, later,
 * in parts or by a tunnel, and reads or does not. What it sends are frames, and nothing is left when it is over.
 * Input: 4 bytes that seed the pieces, then records: a type (above 127: the next bytes go as they are), flags, a
 * stream, a size, and so many bytes.
 * SPDX-License-Identifier: MIT */
#include "fuzz/choice.h"
#include "fuzz/fuzz.h"
#include "http/http1.h"

#include <sys/socket.h>
#include <unistd.h>

enum { LATER_MAX = 128, FRAME_HEAD_BYTES = 9, FRAME_BYTES_MAX = 16384, TURNS_MAX = 200 };

static struct {
    dx_loop *loop;
    dx_net net;
    dx_router router;
    dx_http http;
    dx_exchange *later[LATER_MAX];
    size_t later_count;
    int fd;
    unsigned seed;
    dx_buffer out; /* of the server, not looked at yet */
} f;

/* ---- the server ----------------------------------------------------------------------------------------- */

static void on_hello(dx_exchange *x, void *context)
{
    (void)context;
    dx_exchange_respond(x, &(dx_response){.body = DX_BYTES("hello")});
}

static void on_echo(dx_exchange *x, void *context)
{
    (void)context;
    dx_exchange_respond(x, &(dx_response){.body = dx_exchange_body(x)});
}

static void forget(dx_exchange *x, void *context)
{
    (void)context;
    for (size_t i = 0; i < f.later_count; i++)
        if (f.later[i] == x) {
            f.later[i] = f.later[--f.later_count];
            return;
        }
    abort(); /* nobody knows it */
}

static void on_later(dx_exchange *x, void *context)
{
    (void)context;
    FUZZ_CHECK(f.later_count < LATER_MAX);
    f.later[f.later_count++] = x;
    dx_exchange_on_gone(x, forget, NULL);
}

/* Whole, or in parts that may be less than was announced. */
static void answer_one(unsigned how)
{
    static const uint8_t content[70000];
    dx_exchange *x = f.later[how / 8 % f.later_count];

    forget(x, NULL);
    dx_exchange_on_gone(x, NULL, NULL);
    if (how % 4 == 0) {
        dx_exchange_respond(x, &(dx_response){.body = dx_bytes_at(content, how % sizeof content)});
        return;
    }
    dx_exchange_start(x, &(dx_response){.status = how % 8 == 1 ? 204 : 200},
                      how % 4 == 1 ? DX_LENGTH_UNKNOWN : 100);
    (void)dx_exchange_write(x, dx_bytes_at(content, how % 101));
    dx_exchange_end(x);
}

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
    (void)conn, (void)why;
}

static const dx_conn_ops tunnel_ops = {.on_bytes = tunnel_on_bytes, .on_closed = tunnel_on_closed};

static void on_tunnel(dx_exchange *x, void *context)
{
    (void)context;
    if (!x->is_tunnel) { /* by HTTP/1.1 */
        dx_exchange_problem(x, 426, "not here");
        return;
    }
    dx_conn_set_protocol(x->ops->upgrade(x, NULL, 0), &tunnel_ops, NULL);
}

static void begin_once(void)
{
    const uint32_t get = DX_BIT(DX_HTTP_GET), post = DX_BIT(DX_HTTP_POST);
    const dx_route routes[] = {{"/", get, 0, on_hello, NULL},
                               {"/", post, 1000, on_echo, NULL},
                               {"/", DX_ROUTE_WEBSOCKET, 0, on_tunnel, NULL},
                               {"/index.html", get | post, 1000, on_later, NULL}};
    dx_http_config config = DX_HTTP_CONFIG_DEFAULT;

    if (f.loop)
        return;
    config.http2.bodies_bytes_max = 500;
    config.http2.slowed_ms = 1;
    FUZZ_CHECK(dx_loop_new(&(dx_loop_options){.kind = DX_LOOP_EPOLL, .recv_bytes = 65536},
                           &f.loop) == DX_OK);
    dx_net_init(&f.net, f.loop, &DX_NET_LIMITS_DEFAULT, NULL);
    for (size_t i = 0; i < DX_COUNT(routes); i++)
        FUZZ_CHECK(dx_router_add(&f.router, &routes[i]) == DX_OK);
    FUZZ_CHECK(dx_http_init(&f.http, &f.net, &f.router, &config) == DX_OK);
}

/* ---- the client ------------------------------------------------------------------------------------------- */

/* All that the server sends are frames of HTTP/2, none above what a client takes that said nothing. */
static void check_frames(void)
{
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
    if (f.later_count > 0 && how % 4 == 0)
        answer_one(how * 37);
    if (how % 3 != 0)
        read_some(how * 16);
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

static void end(void)
{
    close(f.fd);
    for (int i = 0; i < TURNS_MAX && f.net.conns_count > 0; i++) {
        while (f.later_count > 0)
            answer_one((unsigned)fuzz_step(&f.seed));
        for (dx_list *l = f.net.live.next; i == 10 && l != &f.net.live; l = l->next) {
            dx_conn_abort(DX_CONTAINER(l, dx_conn, link), DX_ERR_CLOSED, true);
            break; /* the first carries the others */
        }
        dx_loop_step(f.loop, 0);
    }
    FUZZ_CHECK(f.net.conns_count == 0 && f.later_count == 0);
    dx_buffer_clear(&f.out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dx_bytes in = dx_bytes_at(data, size);
    int ends[2];

    begin_once();
    f.seed = 0;
    for (int i = 0; i < 4; i++)
        f.seed = f.seed << 8 | fuzz_byte(&in);
    FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    f.fd = ends[1];
    dx_http1_accept(&f.http, ends[0], NULL);
    send_all(dx_http2_preface);
    send_all(dx_bytes_at("\0\0\0\4\0\0\0\0\0", FRAME_HEAD_BYTES));
    while (in.size > 0)
        send_record(&in);
    for (int i = 0; i < 8; i++)
        turn();
    end();
    return 0;
}
