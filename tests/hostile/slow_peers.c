/* 500 peers that send one octet every 5 s: a good client notices nothing, and all are gone in time.
 * Usage:   slow_peers HOST PORT; prints TAP. Takes about 25 s.
 * Is:      slow heads and slow bodies, each from its start and from its midst; meanwhile a good
 *          client asks every 50 ms (good_client.h).
 * Is not:  slow readers; many connections that send nothing wrong (bench/).
 * Memory:  static; the good client gives its back.
 * Threads: one.
 * Source:  RFC 9110 §15.5.9 (408); the limits are Duplex's own.
 * SPDX-License-Identifier: MIT */
#include "tests/hostile/good_client.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    PEERS_COUNT = 500,
    EVERY_MS = 5000,   /* an octet of a slow peer */
    TICK_MS = 50,      /* a question of the good client */
    WINDOW_MS = 10000, /* for a head, from the accept; for 10 KiB of a body */
    LATE_MS = 2000,    /* after its deadline a peer must be gone */
    EARLY_MS = 500,    /* before it, it must not be: as exact as the clocks here are */
    LINGER_MS = 3000,  /* after its FIN the server must have let go, though the peer keeps open */
    P99_MS = 1000,
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
static int number, failed;

static void report(bool ok, const char *what)
{
    printf("%s %d - %s\n", ok ? "ok" : "not ok", ++number, what);
    fflush(stdout);
    failed += !ok;
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

static void judge_good(good_client *g, good_kind kind)
{
    size_t count = g->answered[kind];
    double p99_ms = good_wait_ms(g, kind, 99);
    char text[100];

    printf("# %s: of %zu questions %zu were answered, p50 %.2f ms, p99 %.2f ms\n",
           good_kind_name(kind), g->asked, count, good_wait_ms(g, kind, 50), p99_ms);
    snprintf(text, sizeof text, "meanwhile %s is answered, 99 of 100 times within 1 s",
             good_kind_name(kind));
    report(count > 0 && count == g->asked && p99_ms < P99_MS, text);
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
    printf("TAP version 13\n1..%d\n", KINDS_COUNT + 3 + GOOD_KINDS_COUNT);
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
    for (good_kind k = 0; k < GOOD_KINDS_COUNT; k++)
        judge_good(&good, k);
    for (int i = 0; i < PEERS_COUNT; i++)
        if (peers[i].fd > 0)
            close(peers[i].fd);
    good_close(&good);
    freeaddrinfo(to);
    return failed != 0;
}
