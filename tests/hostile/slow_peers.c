/* 500 peers that send one octet every 5 s: a good client notices nothing, and all are gone in time.
 * Usage:   slow_peers HOST PORT; prints TAP. Takes about 25 s.
 * Is:      slow heads and slow bodies, each from its start and from its midst; meanwhile GET /healthz
 *          and a WebSocket on /live/x are asked every 50 ms, on a connection each.
 * Is not:  slow readers; many connections that send nothing wrong (bench/).
 * Memory:  static; the two good clients give theirs back.
 * Threads: one.
 * Source:  RFC 9110 §15.5.9 (408); the limits are Duplex's own.
 * SPDX-License-Identifier: MIT */
#include "tests/conformance/peer.h"
#include "tests/conformance/ws_client.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    PEERS_COUNT = 500,
    EVERY_MS = 5000,   /* an octet of a slow peer */
    TICK_MS = 50,      /* a question of the good client */
    WINDOW_MS = 10000, /* for a head, from the accept; for 10 KiB of a body */
    LATE_MS = 2000,    /* after its deadline a peer must be gone */
    EARLY_MS = 500,    /* before it, it must not be: as exact as the clocks here are */
    LINGER_MS = 3000,  /* after its FIN the server must have let go, though the peer keeps open */
    ANSWER_MS = 5000,  /* a good client waits so long at most */
    P99_US = 1000000,
    END_MS = 2 * WINDOW_MS + LATE_MS + LINGER_MS + 1000,
    TICKS_MAX = END_MS / TICK_MS + 2,
};

#define POST_HEAD                                                                                  \
    "POST /live/slow HTTP/1.1\r\nHost: slow\r\nContent-Type: text/plain\r\n"                       \
    "Content-Length: 60000\r\n\r\n"

typedef struct slow_kind {
    const char *name;
    int count;
    const char *opening; /* sent at once */
    size_t body_bytes;   /* sent with it */
    const char *trickle; /* then, an octet at a time; its last one again and again */
    int64_t deadline_ms; /* since the connect */
} slow_kind;

static const slow_kind kinds[] = {
    {"heads, slow from the first octet", 100, "", 0, "GET /healthz HTTP/1.1\r\n", WINDOW_MS},
    {"heads, slow from their midst", 150, "GET /healthz HTTP/1.1\r\nHost: slow\r\nX-Slow: ", 0, "s",
     WINDOW_MS},
    {"bodies, slow from the first octet", 50, POST_HEAD, 0, "s", WINDOW_MS},
    {"bodies, slow from their midst", 100, POST_HEAD, 9000, "s", WINDOW_MS},
    {"bodies, slow after a good first window", 100, POST_HEAD, 11000, "s", 2 * WINDOW_MS},
};
enum { KINDS_COUNT = sizeof kinds / sizeof kinds[0] };

typedef struct slow_peer {
    const slow_kind *kind;
    int fd;
    int64_t began_ms, due_ms;
    int64_t closed_ms; /* since began_ms: the server's FIN or RST; 0: not yet */
    bool is_released;  /* the server has closed its socket, not only half of it */
    size_t sent, seen_size;
    char seen[64]; /* the beginning of the answer */
} slow_peer;

static slow_peer peers[PEERS_COUNT];
static int64_t waits_us[2][TICKS_MAX]; /* of GET, of the WebSocket */
static int number, failed;

static void report(bool ok, const char *what)
{
    printf("%s %d - %s\n", ok ? "ok" : "not ok", ++number, what);
    fflush(stdout);
    failed += !ok;
}

static int64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* ---- the slow ones ---------------------------------------------------------------------------- */

static bool send_opening(slow_peer *p)
{
    char text[16384];
    size_t size = strlen(p->kind->opening);

    memcpy(text, p->kind->opening, size);
    memset(text + size, 'b', p->kind->body_bytes);
    size += p->kind->body_bytes;
    return size == 0 || send(p->fd, text, size, MSG_NOSIGNAL) == (ssize_t)size;
}

static bool peer_open(slow_peer *p, const struct addrinfo *to, int index)
{
    p->fd = socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (p->fd < 0 || connect(p->fd, to->ai_addr, to->ai_addrlen) != 0)
        return false;
    p->began_ms = dx_peer_now_ms();
    p->due_ms = p->began_ms + index * 37 % EVERY_MS; /* spread over the 5 s */
    return send_opening(p);
}

static int open_all(const struct addrinfo *to)
{
    int index = 0, opened = 0;

    for (int k = 0; k < KINDS_COUNT; k++)
        for (int i = 0; i < kinds[k].count && index < PEERS_COUNT; i++, index++) {
            peers[index] = (slow_peer){.kind = &kinds[k], .fd = -1};
            opened += peer_open(&peers[index], to, index);
        }
    return opened;
}

/* When a peer that was closed finds out whether the server still has a socket for it. */
static int64_t verdict_ms(const slow_peer *p)
{
    return p->began_ms + p->closed_ms + LINGER_MS - 2 * TICK_MS;
}

/* The next octet, if it is time: also to a server that has said goodbye, which must not wait on. */
static void peer_trickle(slow_peer *p, int64_t now_ms)
{
    const char *trickle = p->kind->trickle;
    size_t last = strlen(trickle) - 1;

    if (now_ms < p->due_ms || p->is_released)
        return;
    if (send(p->fd, trickle + (p->sent < last ? p->sent : last), 1, MSG_NOSIGNAL | MSG_DONTWAIT) <
        0)
        p->is_released = errno == EPIPE || errno == ECONNRESET;
    p->sent++;
    p->due_ms += EVERY_MS;
    if (p->closed_ms && now_ms < verdict_ms(p))
        p->due_ms = verdict_ms(p);
}

static void peer_closed(slow_peer *p, int64_t now_ms)
{
    p->closed_ms = now_ms - p->began_ms;
    if (p->due_ms > verdict_ms(p))
        p->due_ms = verdict_ms(p);
}

static void peer_read(slow_peer *p, int64_t now_ms)
{
    char piece[2048];
    ssize_t size;

    while ((size = recv(p->fd, piece, sizeof piece, MSG_DONTWAIT)) > 0) {
        size_t room = sizeof p->seen - 1 - p->seen_size;
        size_t part = (size_t)size < room ? (size_t)size : room;
        memcpy(p->seen + p->seen_size, piece, part);
        p->seen_size += part;
    }
    if (size == 0 || (errno != EAGAIN && errno != EINTR))
        peer_closed(p, now_ms);
}

/* One octet from everybody whose turn it is; whatever came is read. Returns how many are left. */
static int turn_all(void)
{
    static struct pollfd polls[PEERS_COUNT];
    int64_t now_ms = dx_peer_now_ms();
    int left = 0;

    for (int i = 0; i < PEERS_COUNT; i++) {
        peer_trickle(&peers[i], now_ms);
        polls[i] = (struct pollfd){.fd = peers[i].is_released ? -1 : peers[i].fd,
                                   .events = peers[i].closed_ms ? 0 : POLLIN};
    }
    poll(polls, PEERS_COUNT, 0);
    for (int i = 0; i < PEERS_COUNT; i++) {
        slow_peer *p = &peers[i];
        if (!p->closed_ms && polls[i].revents)
            peer_read(p, now_ms);
        if (p->closed_ms && polls[i].revents & (POLLERR | POLLHUP))
            p->is_released = true;
        left += !p->is_released;
    }
    return left;
}

/* ---- the good one ----------------------------------------------------------------------------- */

typedef struct good_client {
    dx_peer http;
    wst_client ws;
    size_t asked, answered[2];
} good_client;

static const char *good_open(good_client *g, const char *host, const char *port)
{
    dx_peer_url url;
    char text[300];

    snprintf(text, sizeof text, "ws://%s:%s/live/x", host, port);
    if (!dx_peer_url_parse(text, &url))
        return "no URL";
    const char *wrong = wst_client_connect(&g->ws, &url, NULL, ANSWER_MS);
    if (wrong == NULL)
        wrong = wst_client_handshake(&g->ws, NULL);
    if (dx_peer_connect(&g->http, host, port, ANSWER_MS) != DX_PEER_OK)
        return "cannot connect";
    return wrong;
}

static bool ask_http(good_client *g)
{
    static const char request[] = "GET /healthz HTTP/1.1\r\nHost: good\r\n\r\n";
    static const char status[] = "HTTP/1.1 200 ";
    size_t size;

    if (dx_peer_send(&g->http, request, sizeof request - 1, ANSWER_MS) != DX_PEER_OK ||
        dx_peer_need_mark(&g->http, "\"ok\"}", &size, ANSWER_MS) != DX_PEER_OK)
        return false;
    bool ok = memcmp(dx_peer_input(&g->http), status, sizeof status - 1) == 0;
    dx_peer_skip(&g->http, size);
    return ok;
}

static bool ask_ws(good_client *g)
{
    char text[32];
    wst_buffer out = {0};
    size_t size = (size_t)snprintf(text, sizeof text, "message %zu", g->asked);

    wst_client_message(&g->ws, WST_TEXT, (const uint8_t *)text, size, 0, &out);
    dx_peer_status sent = dx_peer_send(&g->ws.peer, out.at, out.size, ANSWER_MS);
    wst_buffer_deinit(&out);
    if (sent != DX_PEER_OK)
        return false;
    wst_event event = wst_client_next(&g->ws, ANSWER_MS);
    return event.kind == WST_EVENT_MESSAGE && event.size == size &&
           memcmp(event.at, text, size) == 0;
}

static bool good_ask(good_client *g)
{
    static bool (*const ask[])(good_client *) = {ask_http, ask_ws};
    bool ok = true;

    for (int i = 0; i < 2; i++) {
        int64_t began_us = now_us();
        if (!ask[i](g))
            ok = false;
        else
            waits_us[i][g->answered[i]++] = now_us() - began_us;
    }
    g->asked++;
    return ok;
}

/* ---- judging ---------------------------------------------------------------------------------- */

static void judge_kind(const slow_kind *kind)
{
    int64_t first = INT64_MAX, last = 0;
    int answered = 0, gone = 0, in_time = 0;
    char text[200];

    for (int i = 0; i < PEERS_COUNT; i++) {
        const slow_peer *p = &peers[i];
        if (p->kind != kind)
            continue;
        answered += strncmp(p->seen, "HTTP/1.1 408 ", 13) == 0;
        if (p->closed_ms == 0)
            continue;
        gone++;
        in_time += p->closed_ms >= kind->deadline_ms - EARLY_MS &&
                   p->closed_ms <= kind->deadline_ms + LATE_MS;
        first = p->closed_ms < first ? p->closed_ms : first;
        last = p->closed_ms > last ? p->closed_ms : last;
    }
    printf(
        "# %s: of %d peers %d got 408, %d were closed, the first after %lld ms, the last after %lld\n",
        kind->name, kind->count, answered, gone, gone ? (long long)first : -1LL, (long long)last);
    snprintf(text, sizeof text, "§15.5.9 %s: all get 408 and are closed after %d s", kind->name,
             (int)(kind->deadline_ms / 1000));
    report(answered == kind->count && in_time == kind->count, text);
}

static int compare_us(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static void judge_good(const good_client *g, int which, const char *what)
{
    size_t count = g->answered[which];
    int64_t *waits = waits_us[which];

    qsort(waits, count, sizeof *waits, compare_us);
    int64_t p99 = count ? waits[count * 99 / 100] : INT64_MAX;
    if (count)
        printf(
            "# of %zu questions %zu were answered, p50 %.2f ms, p99 %.2f ms, the last after %.2f ms\n",
            g->asked, count, (double)waits[count / 2] / 1e3, (double)p99 / 1e3,
            (double)waits[count - 1] / 1e3);
    report(count > 0 && count == g->asked && p99 < P99_US, what);
}

static void judge_released(void)
{
    int left = 0;

    for (int i = 0; i < PEERS_COUNT; i++)
        left += !peers[i].is_released;
    if (left)
        printf("# of %d peers %d still have a socket at the server\n", PEERS_COUNT, left);
    report(left == 0, "§9.6 the server lets go of peers that never close themselves");
}

/* Asks every TICK_MS until no slow peer is left, a good client fails, or time is over. */
static void run(good_client *g)
{
    int64_t began_ms = dx_peer_now_ms(), next_ms = began_ms;
    bool ok = true;
    int left = PEERS_COUNT;

    while (ok && left > 0 && next_ms < began_ms + END_MS && g->asked < TICKS_MAX) {
        left = turn_all();
        ok = good_ask(g);
        next_ms += TICK_MS;
        int64_t wait_ms = next_ms - dx_peer_now_ms();
        if (wait_ms > 0)
            poll(NULL, 0, (int)wait_ms);
        else
            next_ms -= wait_ms; /* a slow answer is not made up for by a burst */
    }
}

int main(int argc, char **argv)
{
    static good_client good;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
    struct addrinfo *to = NULL;

    if (argc != 3 || getaddrinfo(argv[1], argv[2], &hints, &to) != 0) {
        fprintf(stderr, "usage: slow_peers ADDRESS PORT\n");
        return 2;
    }
    printf("TAP version 13\n1..%d\n", KINDS_COUNT + 5);
    const char *wrong = good_open(&good, argv[1], argv[2]);
    if (wrong)
        printf("# %s\n", wrong);
    report(wrong == NULL, "a good client connects");
    report(open_all(to) == PEERS_COUNT, "500 slow peers connect");
    if (failed == 0)
        run(&good);
    for (int i = 0; i < KINDS_COUNT; i++)
        judge_kind(&kinds[i]);
    judge_released();
    judge_good(&good, 0, "meanwhile every GET is answered, 99 of 100 within 1 s");
    judge_good(&good, 1, "meanwhile every WebSocket message comes back, 99 of 100 within 1 s");
    for (int i = 0; i < PEERS_COUNT; i++)
        if (peers[i].fd > 0)
            close(peers[i].fd);
    dx_peer_deinit(&good.http);
    wst_client_deinit(&good.ws);
    freeaddrinfo(to);
    return failed != 0;
}
