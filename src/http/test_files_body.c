/* Static files on their way: pieces, slow readers, files that change, clients that leave.
 * SPDX-License-Identifier: MIT */
#include "http/files_inner.h"
#include "http/test_files.h"
#include "tests/tap.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

enum { BIG_BYTES = 3 * 1048576 + 17, PIECE_BYTES = 65536 };

#define GET_BIG "GET /big.bin HTTP/1.1\r\nHost: files.test\r\n\r\n"

static uint8_t *big_new(files_served *f)
{
    uint8_t *big = malloc(BIG_BYTES);

    for (size_t i = 0; i < BIG_BYTES; i++)
        big[i] = (uint8_t)(i * 2654435761u >> 13);
    files_write(f, "www/big.bin", dx_bytes_at(big, BIG_BYTES));
    return big;
}

static size_t head_size(dx_bytes response)
{
    const uint8_t *end = memmem(response.at, response.size, "\r\n\r\n", 4);
    return end ? (size_t)(end - response.at) + 4 : 0;
}

static int fds_count(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int count = 0;

    while (dir && readdir(dir))
        count++;
    closedir(dir);
    return count;
}

TEST("a file of many pieces comes whole and in order")
{
    files_served f;
    served_response r;

    files_served_init(&f);
    uint8_t *big = big_new(&f);
    files_ask(&f, "GET /big.bin", "", &r);
    CHECK_INT(r.head.code, 200);
    CHECK_INT(r.head.framing.content_length, BIG_BYTES);
    CHECK_MEM(r.body.at, r.body.size, big, BIG_BYTES);
    served_response_deinit(&r);
    free(big);
    files_served_deinit(&f);
}

TEST("ranges that are longer than a piece, alone and many, come whole")
{
    static const char part[] = "Content-Range: bytes 1000000-2999999/3145745\r\n\r\n";
    files_served f;
    served_response r;

    files_served_init(&f);
    uint8_t *big = big_new(&f);
    files_ask(&f, "GET /big.bin", "Range: bytes=65535-200000\r\n", &r);
    CHECK_MEM(r.body.at, r.body.size, big + 65535, 200001 - 65535);
    served_response_deinit(&r);
    files_ask(&f, "GET /big.bin", "Range: bytes=0-70000,1000000-2999999,-65536\r\n", &r);
    CHECK_INT(r.head.code, 206);
    CHECK_INT(r.head.framing.content_length, r.body.size);
    const uint8_t *at = memmem(r.body.at, r.body.size, part, sizeof part - 1);
    CHECK(at != NULL);
    if (at)
        CHECK_MEM(at + sizeof part - 1, 2000000, big + 1000000, 2000000);
    CHECK(r.body.size > 4 && memcmp(r.body.at + r.body.size - 4, "--\r\n", 4) == 0);
    served_response_deinit(&r);
    free(big);
    files_served_deinit(&f);
}

/* The only connection of the server. */
static dx_conn *conn_of(files_served *f)
{
    return DX_CONTAINER(f->served.net.live.next, dx_conn, link);
}

TEST("a client that does not read is owed one piece at most")
{
    files_served f;
    dx_buffer got = {0};
    size_t queued_max = 0;

    files_served_init(&f);
    uint8_t *big = big_new(&f);
    int fd = served_connect(&f.served);
    served_send(&f.served, fd, DX_BYTES(GET_BIG));
    for (int i = 0; i < 200; i++) {
        dx_loop_step(f.served.loop, 1);
        queued_max = dx_max_size(queued_max, dx_conn_queued(conn_of(&f)));
    }
    CHECK(queued_max > 0);
    CHECK(queued_max <= PIECE_BYTES + 1024);
    served_receive(&f.served, fd, 1024, &got);
    size_t head = head_size(dx_buffer_view(&got));
    served_receive(&f.served, fd, head + BIG_BYTES, &got);
    CHECK_MEM(got.at + head, got.size - head, big, BIG_BYTES);
    dx_buffer_clear(&got);
    close(fd);
    free(big);
    files_served_deinit(&f);
}

TEST("§9.3.2 of RFC 9112: requests sent at once are answered whole, in order")
{
    files_served f;
    dx_buffer got = {0};

    files_served_init(&f);
    uint8_t *big = big_new(&f);
    int fd = served_connect(&f.served);
    served_send(&f.served, fd,
                DX_BYTES(GET_BIG "GET /hello.txt HTTP/1.1\r\nHost: x\r\n\r\n" GET_BIG
                                 "GET /sub/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
    CHECK(!served_receive(&f.served, fd, SIZE_MAX, &got));
    static const size_t sizes[] = {BIG_BYTES, 12, BIG_BYTES, 6};
    dx_bytes rest = dx_buffer_view(&got);
    for (size_t i = 0; i < DX_COUNT(sizes); i++) {
        dx_bytes body = {0};
        CHECK(dx_bytes_starts(rest, DX_BYTES("HTTP/1.1 200 OK\r\n")));
        dx_bytes_skip(&rest, head_size(rest));
        CHECK(dx_bytes_take(&rest, sizes[i], &body));
        CHECK(sizes[i] < BIG_BYTES || memcmp(body.at, big, BIG_BYTES) == 0);
    }
    CHECK_INT(rest.size, 0);
    dx_buffer_clear(&got);
    close(fd);
    free(big);
    files_served_deinit(&f);
}

/* A carrier that is busy or closed when the test says so. */
typedef struct toy_carrier {
    dx_buffer taken;
    bool is_busy, is_closed, is_over;
    int waits_count;
} toy_carrier;

static void toy_start(dx_exchange *x, const dx_response *response, uint64_t length)
{
    (void)x, (void)response, (void)length;
}

static dx_send_result toy_write(dx_exchange *x, dx_bytes piece)
{
    toy_carrier *toy = x->carrier;

    if (toy->is_closed)
        return DX_SEND_CLOSED;
    CHECK(dx_buffer_append(&toy->taken, piece));
    return DX_SEND_QUEUED;
}

static bool toy_is_busy(const dx_exchange *x)
{
    return ((toy_carrier *)x->carrier)->is_busy;
}

static void toy_end(dx_exchange *x)
{
    ((toy_carrier *)x->carrier)->is_over = true;
}

static void toy_want_room(dx_exchange *x)
{
    ((toy_carrier *)x->carrier)->waits_count++;
}

static const dx_exchange_ops toy_ops = {.start = toy_start,
                                        .write = toy_write,
                                        .is_busy = toy_is_busy,
                                        .end = toy_end,
                                        .want_room = toy_want_room};

static void toy_give_room(dx_exchange *x)
{
    dx_exchange_handler *room = x->on_room;

    CHECK(room != NULL);
    x->on_room = NULL;
    if (room)
        room(x, x->room_context);
}

static dx_files_body toy_body(const files_served *f)
{
    char path[128];

    snprintf(path, sizeof path, "%s/www/big.bin", f->dir);
    dx_files_body body = {.fd = open(path, O_RDONLY | O_CLOEXEC), .size = BIG_BYTES, .type = "x/y"};
    CHECK(body.fd >= 0);
    CHECK_INT(dx_files_body_init(&body), BIG_BYTES);
    return body;
}

TEST("a carrier that is busy loses nothing: the piece is read again when there is room")
{
    files_served f;
    toy_carrier toy = {.is_busy = true};
    dx_exchange x = {.ops = &toy_ops, .carrier = &toy, .state = DX_EXCHANGE_STREAMING};

    files_served_init(&f);
    uint8_t *big = big_new(&f);
    dx_files_body body = toy_body(&f);
    dx_files_body_send(&x, &body);
    for (int i = 0; i < 1000 && !toy.is_over; i++) {
        toy.is_busy = i % 3 == 1;
        toy_give_room(&x);
    }
    CHECK(toy.is_over);
    CHECK(toy.waits_count > BIG_BYTES / PIECE_BYTES);
    CHECK_MEM(toy.taken.at, toy.taken.size, big, BIG_BYTES);
    CHECK(fcntl(body.fd, F_GETFD) < 0);
    dx_buffer_clear(&toy.taken);
    free(big);
    files_served_deinit(&f);
}

TEST("a carrier that is closing is left alone until it says that the client has gone")
{
    files_served f;
    toy_carrier toy = {.is_closed = true};
    dx_exchange x = {.ops = &toy_ops, .carrier = &toy, .state = DX_EXCHANGE_STREAMING};

    files_served_init(&f);
    free(big_new(&f));
    dx_files_body body = toy_body(&f);
    dx_files_body_send(&x, &body);
    CHECK(!toy.is_over);
    CHECK_INT(toy.waits_count, 0);
    CHECK(fcntl(body.fd, F_GETFD) >= 0);
    dx_exchange_abandon(&x);
    CHECK(fcntl(body.fd, F_GETFD) < 0);
    files_served_deinit(&f);
}

TEST("a file that is cut short meanwhile ends the connection before the announced length")
{
    files_served f;
    dx_buffer got = {0};
    char path[128];

    files_served_init(&f);
    free(big_new(&f));
    int fd = served_connect(&f.served);
    served_send(&f.served, fd, DX_BYTES(GET_BIG));
    served_receive(&f.served, fd, 1024, &got);
    snprintf(path, sizeof path, "%s/www/big.bin", f.dir);
    CHECK_INT(truncate(path, 100), 0);
    CHECK(!served_receive(&f.served, fd, SIZE_MAX, &got));
    CHECK(got.size < BIG_BYTES);
    dx_buffer_clear(&got);
    close(fd);
    files_served_deinit(&f);
}

TEST("a client that leaves in the middle leaves no open file behind")
{
    files_served f;
    dx_buffer got = {0};

    files_served_init(&f);
    free(big_new(&f));
    int before = fds_count();
    for (int i = 0; i < 5; i++) {
        int fd = served_connect(&f.served);
        served_send(&f.served, fd, DX_BYTES(GET_BIG));
        served_receive(&f.served, fd, 2048, &got);
        dx_buffer_clear(&got);
        close(fd);
        for (int turn = 0; turn < 50 && f.served.net.conns_count > 0; turn++)
            dx_loop_step(f.served.loop, 2);
    }
    CHECK_INT(f.served.net.conns_count, 0);
    CHECK_INT(fds_count(), before);
    files_served_deinit(&f);
}

TEST("no kind of answer leaves an open file behind")
{
    static const char *const asked[][2] = {
        {"GET /hello.txt", ""},
        {"HEAD /hello.txt", ""},
        {"GET /hello.txt", "If-None-Match: *\r\n"},
        {"GET /hello.txt", "If-Match: \"x\"\r\n"},
        {"GET /hello.txt", "Range: bytes=0-1\r\n"},
        {"GET /hello.txt", "Range: bytes=0-1,3-4\r\n"},
        {"GET /hello.txt", "Range: bytes=99-\r\n"},
        {"GET /page.html", "Accept-Encoding: gzip, br\r\n"},
        {"GET /sub", ""},
        {"GET /sub/", ""},
        {"GET /none", ""},
        {"GET /empty.css", ""},
    };
    files_served f;

    files_served_init(&f);
    files_write(&f, "www/page.html", DX_BYTES("as it is"));
    files_write(&f, "www/page.html.gz", DX_BYTES("gzipped"));
    files_write(&f, "www/page.html.br", DX_BYTES("brotlied"));
    int before = fds_count();
    for (size_t i = 0; i < DX_COUNT(asked); i++) {
        CHECK(files_code(&f, asked[i][0], asked[i][1]) != 0);
        for (int turn = 0; turn < 50 && f.served.net.conns_count > 0; turn++)
            dx_loop_step(f.served.loop, 2);
        CHECK_INT(fds_count(), before);
    }
    files_served_deinit(&f);
}

TEST("without a descriptor to spare the answer is 503, and later 200 again")
{
    files_served f;
    struct rlimit limit, low;
    dx_buffer got = {0};

    files_served_init(&f);
    int fd = served_connect(&f.served);
    CHECK_INT(getrlimit(RLIMIT_NOFILE, &limit), 0);
    low = limit;
    low.rlim_cur = (rlim_t)fd; /* everything up to here is in use */
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &low), 0);
    served_send(&f.served, fd, DX_BYTES("GET /hello.txt HTTP/1.1\r\nHost: x\r\n\r\n"));
    served_receive(&f.served, fd, 12, &got);
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
    CHECK_MEM(got.at, got.size, "HTTP/1.1 503", 12);
    dx_buffer_clear(&got);
    close(fd);
    CHECK_INT(files_code(&f, "GET /hello.txt", ""), 200);
    files_served_deinit(&f);
}
