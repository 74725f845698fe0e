/* A market of 30 made-up instruments: every change of a price is a message of the instrument's stream.
 * Is:     a seeded random walk with five levels of bids and asks; every change in /live/ticker/NAME, and for
 *         a board the newest of all that have changed in /live/ticker/board/all, fifty times a second;
 *         /demo/ticker says what there is and takes the rate.
 * Is not: the board and its charts (web/ticker/): they read these streams like those of anybody else.
 * Threads: one of its own publishes; requests come on the server's workers.
 * SPDX-License-Identifier: MIT */
#include <duplex/duplex.h>
#include <examples/demo.h>

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PREFIX "/live/ticker/"
#define BOARD_PREFIX PREFIX "board/"

enum {
    INSTRUMENTS = 30,
    LEVELS = 5,
    RATE = 10, /* changes a second of each, to begin with */
    RATE_MAX = 200,
    STEP_MS = 20,
    KEPT = 6000,
    BOARDS_KEPT = 100,
    MESSAGE_BYTES = 256,
    BOARD_BYTES = INSTRUMENTS * MESSAGE_BYTES,
};

typedef struct instrument {
    const char *name, *title;
    double start;
    int digits; /* behind the point; the last is the tick */
} instrument;

static const instrument instruments[INSTRUMENTS] = {
    {"AMBR", "Amber", 412.50, 2},       {"ANVL", "Anvil Works", 27.40, 2},
    {"ARCH", "Archway", 88.15, 2},      {"BASL", "Basalt", 5.245, 3},
    {"BRCH", "Birch Paper", 61.80, 2},  {"CMET", "Comet Lines", 143.20, 2},
    {"COBL", "Cobalt", 33150.0, 1},     {"DELT", "Delta Ferries", 19.65, 2},
    {"DUNE", "Dune Glass", 7.120, 3},   {"EMBR", "Ember Power", 52.35, 2},
    {"FERN", "Fern Foods", 38.90, 2},   {"FLNT", "Flint Tools", 11.05, 2},
    {"GALE", "Gale Wind", 96.40, 2},    {"HARB", "Harbour", 214.75, 2},
    {"IRIS", "Iris Optics", 128.60, 2}, {"JUNI", "Juniper", 73.55, 2},
    {"KELP", "Kelp Farms", 3.480, 3},   {"LARK", "Lark Audio", 45.20, 2},
    {"LUNA", "Luna Salt", 1.2345, 4},   {"MAPL", "Maple Rail", 159.30, 2},
    {"NOVA", "Nova Labs", 301.10, 2},   {"ONYX", "Onyx", 2240.5, 1},
    {"OPAL", "Opal", 880.25, 2},        {"PINE", "Pine Timber", 24.85, 2},
    {"QURY", "Quarry", 66.70, 2},       {"REEF", "Reef Water", 14.95, 2},
    {"SAGE", "Sage Books", 9.310, 3},   {"TIDE", "Tide Energy", 112.45, 2},
    {"VALE", "Vale Wool", 0.8765, 4},   {"WREN", "Wren Post", 57.60, 2},
};

typedef struct walk {
    int64_t price; /* in ticks */
    int64_t home;  /* where it is drawn back to */
    int64_t speed; /* of the last changes, in sixteenths of a tick: prices have trends */
    uint32_t bids[LEVELS], asks[LEVELS];
    uint64_t number;  /* of the last change */
    uint64_t boarded; /* and of that which the last board had */
} walk;

struct ticker {
    dx_server *server;
    uint64_t seed, random;
    atomic_uint rate;
    atomic_bool is_ending;
    bool is_started;
    pthread_t thread;
    walk walks[INSTRUMENTS];
};

/* ---- the walk --------------------------------------------------------------------------------- */

static uint32_t next_random(ticker *t) /* splitmix64 */
{
    uint64_t z = t->random += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)((z ^ (z >> 31)) >> 32);
}

/* -n to n */
static int64_t around(ticker *t, uint32_t n)
{
    return (int64_t)(next_random(t) % (2 * n + 1)) - (int64_t)n;
}

static double tick_of(const instrument *i)
{
    static const double ticks[] = {1, 0.1, 0.01, 0.001, 0.0001};
    return ticks[i->digits];
}

static void walk_init(ticker *t, size_t index)
{
    walk *w = &t->walks[index];

    w->home = w->price = (int64_t)(instruments[index].start / tick_of(&instruments[index]) + 0.5);
    for (size_t i = 0; i < LEVELS; i++) {
        w->bids[i] = 10 + next_random(t) % 90;
        w->asks[i] = 10 + next_random(t) % 90;
    }
}

/* Orders that were met are gone, the book moves with the price, and others come. */
static void move_book(ticker *t, walk *w, int64_t moved)
{
    uint32_t *side = moved > 0 ? w->asks : w->bids;

    if (moved != 0) {
        memmove(side, side + 1, (LEVELS - 1) * sizeof *side);
        side[LEVELS - 1] = 10 + next_random(t) % 190;
    }
    for (int i = 0; i < 2; i++) {
        uint32_t *level = (i ? w->asks : w->bids) + next_random(t) % LEVELS;
        *level = 1 + (*level * 3 + next_random(t) % 200) / 4;
    }
}

static void walk_step(ticker *t, walk *w)
{
    int64_t pull = (w->home - w->price) * 16 / (w->home / 4 + 1);

    w->speed = (w->speed * 15 + around(t, 24) + pull) / 16;
    int64_t moved = (w->speed + around(t, 32)) / 16;
    if (w->price + moved < w->home / 4)
        moved = 0;
    w->price += moved;
    w->number++;
    move_book(t, w, moved);
}

/* ---- the feed --------------------------------------------------------------------------------- */

static uint64_t wall_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* "n":17,"p":412.51,"b":[…],"a":[…]: number, price, sizes of bids and asks. */
static int write_walk(const ticker *t, size_t index, char *text, size_t size)
{
    const walk *w = &t->walks[index];
    const instrument *i = &instruments[index];
    const uint32_t *b = w->bids, *a = w->asks;

    return snprintf(text, size,
                    "\"n\":%" PRIu64 ",\"p\":%.*f,\"b\":[%u,%u,%u,%u,%u],\"a\":[%u,%u,%u,%u,%u]",
                    w->number, i->digits, (double)w->price * tick_of(i), b[0], b[1], b[2], b[3],
                    b[4], a[0], a[1], a[2], a[3], a[4]);
}

/* {"t":1732300000123.4, …: when, in milliseconds. */
static int write_time(char *text, size_t size)
{
    uint64_t now = wall_us();
    return snprintf(text, size, "{\"t\":%" PRIu64 ".%" PRIu64, now / 1000, now / 100 % 10);
}

static dx_err publish(ticker *t, const char *path, const char *text, int size)
{
    return dx_publish(t->server,
                      &(dx_publication){.stream = dx_bytes_of(path),
                                        .type = dx_bytes_of("application/json"),
                                        .payload = {(const uint8_t *)text, (size_t)size}},
                      NULL, NULL);
}

/* {"t":…,"n":…,…}. A server that is too busy to take it misses a change; numbers stay without a hole. */
static void publish_change(ticker *t, size_t index)
{
    char text[MESSAGE_BYTES], path[64];
    walk before = t->walks[index];

    walk_step(t, &t->walks[index]);
    int size = write_time(text, sizeof text);
    text[size++] = ',';
    size += write_walk(t, index, text + size, sizeof text - (size_t)size);
    text[size++] = '}';
    snprintf(path, sizeof path, PREFIX "%s", instruments[index].name);
    if (publish(t, path, text, size) != DX_OK)
        t->walks[index] = before;
}

/* {"t":…,"u":120,"c":[{"i":0,"n":…},…]}: of so many changes since the last one, the newest of each.
 * Nothing if there were none. */
static void publish_board(ticker *t)
{
    char text[BOARD_BYTES];
    int size = write_time(text, sizeof text);
    uint64_t count = 0;

    for (size_t i = 0; i < INSTRUMENTS; i++)
        count += t->walks[i].number - t->walks[i].boarded;
    if (count == 0)
        return;
    size += snprintf(text + size, sizeof text - (size_t)size, ",\"u\":%" PRIu64 ",\"c\":[", count);
    for (size_t i = 0; i < INSTRUMENTS; i++) {
        if (t->walks[i].number == t->walks[i].boarded)
            continue;
        t->walks[i].boarded = t->walks[i].number;
        size += snprintf(text + size, sizeof text - (size_t)size, "{\"i\":%zu,", i);
        size += write_walk(t, i, text + size, sizeof text - (size_t)size);
        text[size++] = '}';
        text[size++] = ',';
    }
    memcpy(text + size - 1, "]}", 2); /* for the last comma */
    dx_err ignored = publish(t, BOARD_PREFIX "all", text, size + 1);
    (void)ignored; /* the next one is near */
}

static void add_ms(struct timespec *at, long ms)
{
    at->tv_nsec += ms * 1000000;
    at->tv_sec += at->tv_nsec / 1000000000;
    at->tv_nsec %= 1000000000;
}

static void *feed(void *context)
{
    ticker *t = context;
    struct timespec next;
    unsigned owed = 0; /* changes, in thousandths */

    clock_gettime(CLOCK_MONOTONIC, &next);
    while (!atomic_load(&t->is_ending)) {
        owed += atomic_load(&t->rate) * INSTRUMENTS * STEP_MS;
        for (; owed >= 1000; owed -= 1000)
            publish_change(t, next_random(t) % INSTRUMENTS);
        publish_board(t);
        add_ms(&next, STEP_MS);
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
    }
    return NULL;
}

/* ---- what there is, and the rate ---------------------------------------------------------------- */

static void on_get(dx_exchange *x, void *context)
{
    const ticker *t = context;
    uint64_t now = wall_us();
    char text[4096];
    int size =
        snprintf(text, sizeof text,
                 "{\"now\":%" PRIu64 ".%" PRIu64 ",\"rate\":%u,\"rate_max\":%d,\"seed\":%" PRIu64
                 ",\"streams\":\"" PREFIX "\",\"board\":\"" BOARD_PREFIX "all\",\"instruments\":[",
                 now / 1000, now / 100 % 10, atomic_load(&t->rate), RATE_MAX, t->seed);

    for (size_t i = 0; i < INSTRUMENTS; i++)
        size += snprintf(text + size, sizeof text - (size_t)size,
                         "%s{\"name\":\"%s\",\"title\":\"%s\",\"start\":%.*f,\"digits\":%d}",
                         i ? "," : "", instruments[i].name, instruments[i].title,
                         instruments[i].digits, instruments[i].start, instruments[i].digits);
    size += snprintf(text + size, sizeof text - (size_t)size, "]}\n");
    dx_exchange_respond(x, &(dx_response){.type = dx_bytes_of("application/json"),
                                          .headers = &(dx_header){dx_bytes_of("Cache-Control"),
                                                                  dx_bytes_of("no-store")},
                                          .headers_count = 1,
                                          .body = {(const uint8_t *)text, (size_t)size}});
}

static bool is_text(dx_bytes bytes, const char *text)
{
    return bytes.size == strlen(text) && memcmp(bytes.at, text, bytes.size) == 0;
}

/* POST /demo/ticker?rate=N; for everybody who looks on, so only for pages of this server. */
static void on_post(dx_exchange *x, void *context)
{
    ticker *t = context;
    dx_bytes rate = dx_exchange_argument(x, "rate"), site = dx_exchange_header(x, "Sec-Fetch-Site");
    char text[8] = "";

    if (site.size > 0 && !is_text(site, "same-origin")) {
        dx_exchange_problem(x, 403, "Only a page of this server may change the rate.");
        return;
    }
    if (rate.size > 0 && rate.size < sizeof text)
        memcpy(text, rate.at, rate.size);
    char *end;
    unsigned long number = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || number < 1 || number > RATE_MAX) {
        dx_exchange_problem(x, 400, "rate must be 1 to 200: changes a second of each instrument.");
        return;
    }
    atomic_store(&t->rate, (unsigned)number);
    on_get(x, t);
}

/* ---- beginning and end -------------------------------------------------------------------------- */

ticker *ticker_new(dx_server *server, uint64_t seed)
{
    ticker *t = calloc(1, sizeof *t);
    const dx_stream_options options = {
        .kept_count_max = KEPT,
        .access = {.publish = DX_MAY_NOBODY, .create = DX_MAY_NOBODY, .remove = DX_MAY_NOBODY},
    };
    dx_stream_options boards = options;

    if (t == NULL)
        return NULL;
    t->server = server;
    t->seed = t->random = seed;
    atomic_store(&t->rate, RATE);
    for (size_t i = 0; i < INSTRUMENTS; i++)
        walk_init(t, i);
    boards.kept_count_max = BOARDS_KEPT;
    if (dx_server_streams(server, PREFIX, &options) == DX_OK &&
        dx_server_streams(server, BOARD_PREFIX, &boards) == DX_OK &&
        dx_server_route(server, "GET", "/demo/ticker", on_get, t) == DX_OK &&
        dx_server_route(server, "POST", "/demo/ticker", on_post, t) == DX_OK)
        return t;
    free(t);
    return NULL;
}

bool ticker_start(ticker *t)
{
    t->is_started = pthread_create(&t->thread, NULL, feed, t) == 0;
    return t->is_started;
}

void ticker_free(ticker *t)
{
    if (t == NULL)
        return;
    atomic_store(&t->is_ending, true);
    if (t->is_started)
        pthread_join(t->thread, NULL);
    free(t);
}
