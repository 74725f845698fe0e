/* Tests of the output half of a connection: what leaves, in which order, and what holds it up.
 * SPDX-License-Identifier: MIT */
#include "net/test_probe.h"
#include "tests/tap.h"

enum { KIB = 1024, MIB = 1024 * KIB };

static uint8_t *pattern(size_t size, uint64_t seed)
{
    uint8_t *bytes = malloc(size);

    dx_assert(bytes != NULL);
    fill_random(&seed, bytes, size);
    return bytes;
}

static void finish(world *w, probe *p, peer *other)
{
    if (p->conn)
        dx_conn_abort(p->conn, DX_OK, false);
    world_deinit(w);
    CHECK_INT(p->counts[PROBE_CLOSED], 1);
    probe_deinit(p);
    peer_close(other);
}

LOOP_TEST("what one turn queues leaves in order, whatever it was queued with")
{
    world w;
    probe p = {0};
    peer other;

    world_init(&w, NULL);
    probe_open(&w, &p, &other);
    CHECK(dx_conn_write(p.conn, DX_BYTES("one ")));
    CHECK(dx_conn_write(p.conn, (dx_bytes){0}));
    memcpy(dx_conn_write_room(p.conn, 1024), "two ", 4);
    dx_conn_wrote(p.conn, 4);
    CHECK(dx_conn_write(p.conn, DX_BYTES("three ")));
    CHECK(dx_conn_write_large(p.conn, DX_BYTES("four "), DX_BYTES("five "))); /* goes out at once */
    CHECK(dx_conn_write(p.conn, DX_BYTES("six")));
    PEER_UNTIL(&w, &other, other.in.size >= 27);
    CHECK_BYTES(other.in, "one two three four five six");
    CHECK_INT(dx_conn_queued(p.conn), 0);
    finish(&w, &p, &other);
}

LOOP_TEST("a loop's connections and the bytes through their sockets are counted, also of those that ended")
{
    world w;
    probe p = {0}, second = {0};
    peer other, another;

    world_init(&w, NULL);
    probe_open(&w, &p, &other);
    peer_write(&w, &other, DX_BYTES("four"));
    CHECK(dx_conn_write(p.conn, DX_BYTES("queued")));
    PEER_UNTIL(&w, &other, other.in.size >= 6);
    CHECK(dx_conn_write_large(p.conn, DX_BYTES("head"), DX_BYTES("at once")));
    PEER_UNTIL(&w, &other, other.in.size >= 17);
    dx_conn_abort(p.conn, DX_OK, false);
    probe_open(&w, &second, &another);
    peer_write(&w, &another, DX_BYTES("five!"));
    TURN_UNTIL(w.loop, second.in.size == 5);
    CHECK_INT(w.net.bytes_in, 4 + 5);
    CHECK_INT(w.net.bytes_out, 6 + 11);
    CHECK_INT(w.net.conns_begun_count, 2);
    finish(&w, &second, &another);
    probe_deinit(&p);
    peer_close(&other);
}

LOOP_TEST("a large write arrives whole behind what was queued, though the peer reads slowly")
{
    world w;
    probe p = {0};
    peer other;
    uint8_t *bytes = pattern(3 * MIB, 2);

    world_init(&w, NULL);
    probe_open_tcp(&w, &p, &other);
    CHECK(dx_conn_write(p.conn, DX_BYTES("queue")));
    CHECK(dx_conn_write_large(p.conn, DX_BYTES("head"), dx_bytes_at(bytes, MIB)));
    CHECK(dx_conn_write_large(p.conn, DX_BYTES("HEAD"), dx_bytes_at(bytes + MIB, 2 * MIB)));
    while (other.in.size < 3 * MIB + 13 && w.net.conns_count == 1) {
        peer_read(&other, 30011);
        dx_loop_step(w.loop, 1);
    }
    CHECK_INT(other.in.size, 3 * MIB + 13);
    CHECK_MEM(other.in.at, 9, "queuehead", 9);
    CHECK(memcmp(other.in.at + 9, bytes, MIB) == 0);
    CHECK_MEM(other.in.at + 9 + MIB, 4, "HEAD", 4);
    CHECK(memcmp(other.in.at + 13 + MIB, bytes + MIB, 2 * MIB) == 0);
    finish(&w, &p, &other);
    free(bytes);
}

/* ---- pulled and queued ------------------------------------------------------------------------ */

enum { PULLED_BYTES = 3701, QUEUED_BYTES = 1303, MESSAGES = 600 }; /* so that sends end inside them */

/* Each message says of which kind it is, and its number, in all of its bytes' places. */
static void write_message(uint8_t *to, size_t size, uint8_t kind, unsigned number)
{
    to[0] = kind;
    for (size_t i = 1; i < size; i++)
        to[i] = (uint8_t)(number >> (8 * (i & 1)));
}

static void check_stream(dx_bytes in, size_t pulled_count, size_t queued_count)
{
    unsigned pulled = 0, queued = 0;
    uint8_t want[PULLED_BYTES];

    while (in.size > 0) {
        bool is_pulled = in.at[0] == 'P';
        size_t size = is_pulled ? PULLED_BYTES : QUEUED_BYTES;
        write_message(want, size, is_pulled ? 'P' : 'Q', is_pulled ? pulled++ : queued++);
        if (in.size < size || memcmp(in.at, want, size) != 0) {
            TAP_FAIL("a message was torn apart behind %u pulled and %u queued", pulled, queued);
            return;
        }
        dx_bytes_skip(&in, size);
    }
    CHECK_INT(pulled, pulled_count);
    CHECK_INT(queued, queued_count);
}

static uint64_t seed;

static void queue_one(probe *p, unsigned *queued)
{
    uint8_t message[QUEUED_BYTES];

    if (*queued == MESSAGES)
        return;
    write_message(message, sizeof message, 'Q', (*queued)++);
    if (next_random(&seed) % 4 == 0) /* at once, if it can */
        dx_conn_write_large(p->conn, dx_bytes_at(message, 2), dx_bytes_at(message + 2, sizeof message - 2));
    else
        dx_conn_write(p->conn, dx_bytes_at(message, sizeof message));
}

static unsigned queued_in_hook;

/* Writes from inside `pulled`, also when the send was short. */
static void write_in_hook(probe *p, probe_event event)
{
    (void)event;
    queue_one(p, &queued_in_hook);
    if (next_random(&seed) % 2 == 0)
        dx_conn_flush(p->conn);
}

static void mix(probe_event hook_event, size_t read_max)
{
    const size_t all = MESSAGES * (PULLED_BYTES + QUEUED_BYTES);
    world w;
    probe p = {.hook = write_in_hook, .hook_event = hook_event, .message_bytes = PULLED_BYTES};
    peer other;
    uint8_t *feed = malloc(MESSAGES * PULLED_BYTES);

    dx_assert(feed != NULL);
    for (unsigned i = 0; i < MESSAGES; i++)
        write_message(feed + i * PULLED_BYTES, PULLED_BYTES, 'P', i);
    world_init(&w, NULL);
    probe_open(&w, &p, &other);
    set_buffer_bytes(p.conn->io.fd, SO_SNDBUF, 8192);
    p.feed = feed;
    queued_in_hook = 0;
    for (int i = 0; i < 200000 && other.in.size < all; i++) {
        if (next_random(&seed) % 3 == 0 && p.feed_size < MESSAGES * PULLED_BYTES) {
            p.feed_size += PULLED_BYTES * (1 + next_random(&seed) % 20);
            p.feed_size = dx_min_size(p.feed_size, MESSAGES * PULLED_BYTES);
            dx_conn_wake(p.conn);
        }
        for (uint64_t n = next_random(&seed) % 12; n > 8; n--)
            queue_one(&p, &queued_in_hook);
        dx_loop_step(w.loop, 0);
        peer_read(&other, 1 + next_random(&seed) % read_max);
    }
    check_stream(dx_buffer_view(&other.in), p.feed_at / PULLED_BYTES,
                 (other.in.size - p.feed_at) / QUEUED_BYTES);
    CHECK_INT(other.in.size, all);
    finish(&w, &p, &other);
    free(feed);
}

LOOP_TEST("pulled and queued messages share the way without tearing each other apart")
{
    seed = 7;
    mix(PROBE_EVENT_COUNT, 40000);
    seed = 8;
    mix(PROBE_EVENT_COUNT, 600);
}

LOOP_TEST("what is written from inside pulled keeps its place, also behind a short send")
{
    seed = 9;
    mix(PROBE_PULLED, 20000);
}

/* ---- room ------------------------------------------------------------------------------------- */

LOOP_TEST("room is told once, next turn at the latest when the queue is empty")
{
    world w;
    probe p = {0};
    peer other;
    uint8_t *bytes = pattern(MIB, 3);

    world_init(&w, NULL);
    probe_open(&w, &p, &other);
    dx_conn_want_room(p.conn);
    CHECK_INT(p.counts[PROBE_ROOM], 0); /* never from inside */
    dx_loop_step(w.loop, 0);
    CHECK_INT(p.counts[PROBE_ROOM], 1);
    world_settle(&w);
    CHECK_INT(p.counts[PROBE_ROOM], 1);
    dx_conn_write(p.conn, dx_bytes_at(bytes, MIB));
    dx_conn_want_room(p.conn);
    world_settle(&w);
    CHECK_INT(p.counts[PROBE_ROOM], 1);
    PEER_UNTIL(&w, &other, p.counts[PROBE_ROOM] == 2);
    CHECK_INT(dx_conn_queued(p.conn), 0);
    finish(&w, &p, &other);
    free(bytes);
}

LOOP_TEST("room is told although there is always more to pull")
{
    static uint8_t feed[4 * MIB];
    world w;
    probe p = {.feed = feed, .feed_size = sizeof feed, .message_bytes = 1024};
    peer other;

    world_init(&w, NULL);
    probe_open(&w, &p, &other);
    dx_conn_write(p.conn, DX_BYTES("queued"));
    dx_conn_want_room(p.conn);
    for (int i = 0; i < 1000 && p.counts[PROBE_ROOM] == 0; i++) {
        peer_read(&other, 1000);
        dx_loop_step(w.loop, 0);
    }
    CHECK_INT(p.counts[PROBE_ROOM], 1);
    CHECK(p.feed_at < p.feed_size);
    finish(&w, &p, &other);
}

/* ---- a peer that does not take it ------------------------------------------------------------- */

static const dx_net_limits short_limits = {.conns_count_max = 100,
                                           .write_stalled_ms = 200,
                                           .linger_ms = 200,
                                           .linger_bytes_max = 1 << 20};

LOOP_TEST("A9 a peer that takes nothing for write_stalled_ms is reset")
{
    world w;
    probe p = {0};
    peer other;
    uint8_t *bytes = pattern(16 * MIB, 4);

    world_init(&w, &short_limits);
    probe_open_tcp(&w, &p, &other);
    dx_conn_write(p.conn, dx_bytes_at(bytes, 16 * MIB));
    uint64_t begin_ms = dx_clock_ms();
    TURN_UNTIL(w.loop, p.counts[PROBE_CLOSED] == 1);
    CHECK_INT(p.why, DX_ERR_TIMEOUT);
    CHECK(dx_clock_ms() - begin_ms >= 180 && dx_clock_ms() - begin_ms < 2000);
    PEER_UNTIL_END(&w, &other);
    CHECK(other.is_reset);
    CHECK(other.in.size < 16 * MIB);
    finish(&w, &p, &other);
    free(bytes);
}

/* Reads `piece` bytes ten times in five times the deadline, and then all. */
static void read_slowly(void (*open_it)(world *w, probe *p, peer *other), int kernel_bytes, size_t all,
                        size_t piece)
{
    world w;
    probe p = {0};
    peer other;
    uint8_t *bytes = pattern(all, 5);

    world_init(&w, &short_limits);
    open_it(&w, &p, &other);
    set_buffer_bytes(p.conn->io.fd, SO_SNDBUF, kernel_bytes);
    set_buffer_bytes(other.fd, SO_RCVBUF, 65536);
    dx_conn_write(p.conn, dx_bytes_at(bytes, all));
    for (int i = 0; i < 10; i++) {
        turn_for(w.loop, 100);
        peer_read(&other, piece);
    }
    CHECK_INT(p.counts[PROBE_CLOSED], 0);
    CHECK(other.in.size < all);
    PEER_UNTIL(&w, &other, other.in.size == all || other.is_reset);
    CHECK_MEM(other.in.at, other.in.size, bytes, all);
    turn_for(w.loop, 400); /* with nothing to send there is nothing to stall */
    CHECK_INT(p.counts[PROBE_CLOSED], 0);
    finish(&w, &p, &other);
    free(bytes);
}

LOOP_TEST("a peer that takes a little now and then is slow, not gone")
{
    read_slowly(probe_open, 16384, MIB, 20000);
}

LOOP_TEST("a slow peer is not gone while the kernel still holds so much that there is no room")
{
    read_slowly(probe_open_tcp, 2 * MIB, 8 * MIB, 60000);
}

LOOP_TEST("no stall is held against a peer when what could be pulled has gone meanwhile")
{
    static uint8_t feed[MIB];
    world w;
    probe p = {.feed = feed, .feed_size = sizeof feed, .message_bytes = 1000};
    peer other;

    world_init(&w, &short_limits);
    probe_open(&w, &p, &other);
    dx_conn_wake(p.conn);
    TURN_UNTIL(w.loop, p.conn->is_blocked);
    p.feed_size = p.feed_at; /* nothing is left, as if that had been the end of a message */
    PEER_UNTIL(&w, &other, other.in.size == p.feed_size);
    turn_for(w.loop, 700);
    CHECK_INT(p.counts[PROBE_CLOSED], 0);
    dx_conn_write(p.conn, DX_BYTES("still there"));
    PEER_UNTIL(&w, &other, other.in.size == p.feed_size + 11);
    finish(&w, &p, &other);
}

static void echo_hook(probe *p, probe_event event)
{
    (void)event;
    dx_conn_write(p->conn, dx_buffer_view(&p->in));
    dx_buffer_clear(&p->in);
}

LOOP_TEST("A24 who does not read its answers is not read from, and goes on where it stopped")
{
    world w;
    probe p = {.hook = echo_hook, .hook_event = PROBE_BYTES};
    peer other;
    uint8_t *bytes = pattern(8 * MIB, 6);
    size_t sent = 0, queued_max = 0;

    world_init(&w, NULL);
    probe_open(&w, &p, &other);
    for (int idle = 0; idle < 20; idle++) {
        size_t part = peer_write_some(&other, dx_bytes_at(bytes + sent, 8 * MIB - sent));
        sent += part;
        idle = part ? 0 : idle;
        dx_loop_step(w.loop, 0);
        queued_max = dx_max_size(queued_max, dx_conn_queued(p.conn));
    }
    CHECK(sent < 4 * MIB);
    CHECK(queued_max > 256 * KIB && queued_max < 2 * MIB); /* the mark, and what was under way */
    while (sent < 8 * MIB && !other.is_reset) {
        sent += peer_write_some(&other, dx_bytes_at(bytes + sent, 8 * MIB - sent));
        peer_read(&other, 100000);
        dx_loop_step(w.loop, 0);
    }
    PEER_UNTIL(&w, &other, other.in.size == 8 * MIB);
    CHECK(memcmp(other.in.at, bytes, 8 * MIB) == 0);
    finish(&w, &p, &other);
    free(bytes);
}
