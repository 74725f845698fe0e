/* A game for 50: who gathers most crystals. The server alone knows where everybody is; clients say which
 * way they want to go, in binary messages, and are told 30 times a second what has become of it.
 * Is:     the arena, its players, the bots that take the place of those who are not there, /demo/game.
 * Is not: the picture, and what is between two ticks (web/game/).
 * Messages, little-endian. From the client: 1 i8 x, i8 y: where to, -100 to 100 each; 2 u32: to be sent
 *         back; 3 name (UTF-8, at most 24 bytes). From the server: 1 u32 tick, u16 microseconds that the
 *         tick took, u8 players, u8 crystals, players of (u8 id, u8 1 if human, u16 x, u16 y, u16 score),
 *         crystals of (u16 x, u16 y), places in sixteenths; 2 u8 your id, u16 width, u16 height, u8 ticks
 *         a second; 3 (u8 id, u8 size, name) ...; 4 u32 as it came.
 * Threads: one of its own ticks; the lock is held by whoever touches the arena.
 * SPDX-License-Identifier: MIT */
#include <duplex/duplex.h>
#include <examples/demo.h>

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    PLAYERS = 50,
    CRYSTALS = 60,
    WIDTH = 1600,
    HEIGHT = 900,
    TICKS_PER_SECOND = 30,
    MARGIN = 16,
    REACH = 20, /* of who takes a crystal */
    NAME_BYTES = 24,
    SNAPSHOT_BYTES = 9 + PLAYERS * 8 + CRYSTALS * 4,
    NAMES_BYTES = 1 + PLAYERS * (2 + NAME_BYTES),
};

static const float speed_max = 240, push = 900, drag = 3; /* per second */

enum { INPUT = 1, PING = 2, NAME = 3 };                  /* from the client */
enum { SNAPSHOT = 1, WELCOME = 2, NAMES = 3, PONG = 4 }; /* to it */

typedef struct player {
    float x, y, speed_x, speed_y;
    float to_x, to_y; /* what it wants: at most 1 each */
    unsigned score;
    bool is_human;
    unsigned thinks_in; /* ticks, of a bot */
    size_t name_size;
    char name[NAME_BYTES];
} player;

struct game {
    dx_server *server;
    dx_ws_group *group;
    uint64_t random;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t joined;
    player players[PLAYERS];
    float crystals[CRYSTALS][2];
    unsigned humans_count;
    uint32_t tick;
    bool is_ending;
    bool is_started; /* of the thread that starts and frees it */
    pthread_t thread;
};

/* ---- bytes -------------------------------------------------------------------------------------- */

static uint8_t *put_u16(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
    return at + 2;
}

static uint8_t *put_u32(uint8_t *at, uint32_t value)
{
    return put_u16(put_u16(at, value & 0xffff), value >> 16);
}

static uint8_t *put_place(uint8_t *at, float x, float y)
{
    return put_u16(put_u16(at, (unsigned)(x * 16)), (unsigned)(y * 16));
}

static size_t write_snapshot(const game *g, uint64_t took_us, uint8_t bytes[SNAPSHOT_BYTES])
{
    uint8_t *at = bytes;

    *at++ = SNAPSHOT;
    at = put_u32(at, g->tick);
    at = put_u16(at, took_us < 65535 ? (unsigned)took_us : 65535);
    *at++ = PLAYERS;
    *at++ = CRYSTALS;
    for (unsigned i = 0; i < PLAYERS; i++) {
        const player *p = &g->players[i];
        *at++ = (uint8_t)i;
        *at++ = p->is_human;
        at = put_place(at, p->x, p->y);
        at = put_u16(at, p->score < 65535 ? p->score : 65535);
    }
    for (unsigned i = 0; i < CRYSTALS; i++)
        at = put_place(at, g->crystals[i][0], g->crystals[i][1]);
    return (size_t)(at - bytes);
}

static uint8_t *put_name(uint8_t *at, unsigned id, const player *p)
{
    *at++ = (uint8_t)id;
    *at++ = (uint8_t)p->name_size;
    memcpy(at, p->name, p->name_size);
    return at + p->name_size;
}

/* ---- the arena ---------------------------------------------------------------------------------- */

static float next_random(game *g) /* 0 to 1; xorshift64* */
{
    g->random ^= g->random >> 12;
    g->random ^= g->random << 25;
    g->random ^= g->random >> 27;
    return (float)((g->random * UINT64_C(0x2545f4914f6cdd1d)) >> 40) / (float)(1 << 24);
}

static void crystal_place(game *g, unsigned i)
{
    g->crystals[i][0] = MARGIN * 2 + next_random(g) * (WIDTH - MARGIN * 4);
    g->crystals[i][1] = MARGIN * 2 + next_random(g) * (HEIGHT - MARGIN * 4);
}

static void name_set(player *p, const void *name, size_t size)
{
    p->name_size = size < NAME_BYTES ? size : NAME_BYTES;
    memcpy(p->name, name, p->name_size);
}

static void bot_enter(player *p, unsigned id)
{
    char name[NAME_BYTES];
    int size = snprintf(name, sizeof name, "bot %u", id + 1);

    p->is_human = false;
    p->score = 0;
    p->thinks_in = 0;
    name_set(p, name, (size_t)size);
}

/* Goes for the nearest crystal, not quite straight, and looks around again a little later. */
static void bot_think(game *g, player *p)
{
    float nearest = INFINITY, to_x = 0, to_y = 0;

    if (p->thinks_in-- > 0)
        return;
    for (unsigned i = 0; i < CRYSTALS; i++) {
        float x = g->crystals[i][0] - p->x, y = g->crystals[i][1] - p->y;
        float far = x * x + y * y;
        if (far < nearest)
            nearest = far, to_x = x, to_y = y;
    }
    float size = sqrtf(nearest) + 1, lazy = 0.35f + 0.5f * next_random(g);
    p->to_x = lazy * (to_x / size + 0.6f * (next_random(g) - 0.5f));
    p->to_y = lazy * (to_y / size + 0.6f * (next_random(g) - 0.5f));
    p->thinks_in = 4 + (unsigned)(next_random(g) * 12);
}

static float move_axis(float at, float *speed, float to, float end)
{
    const float dt = 1.0f / TICKS_PER_SECOND;

    *speed += (to * push - *speed * drag) * dt;
    *speed = *speed > speed_max ? speed_max : *speed < -speed_max ? -speed_max : *speed;
    at += *speed * dt;
    if (at < MARGIN || at > end - MARGIN) { /* off the wall */
        *speed = -*speed / 2;
        at = at < MARGIN ? MARGIN : end - MARGIN;
    }
    return at;
}

static void take_crystals(game *g, player *p)
{
    for (unsigned i = 0; i < CRYSTALS; i++) {
        float x = g->crystals[i][0] - p->x, y = g->crystals[i][1] - p->y;
        if (x * x + y * y < REACH * REACH) {
            p->score++;
            crystal_place(g, i);
        }
    }
}

static void step(game *g)
{
    g->tick++;
    for (unsigned i = 0; i < PLAYERS; i++) {
        player *p = &g->players[i];
        if (!p->is_human)
            bot_think(g, p);
        p->x = move_axis(p->x, &p->speed_x, p->to_x, WIDTH);
        p->y = move_axis(p->y, &p->speed_y, p->to_y, HEIGHT);
        take_crystals(g, p);
    }
}

/* ---- the clock ---------------------------------------------------------------------------------- */

static uint64_t us_between(const struct timespec *a, const struct timespec *b)
{
    return (uint64_t)((b->tv_sec - a->tv_sec) * 1000000 + (b->tv_nsec - a->tv_nsec) / 1000);
}

static void send_group(const game *g, const uint8_t *bytes, size_t size)
{
    dx_err ignored = dx_ws_group_send(g->group, DX_WS_MESSAGE_BINARY, (dx_bytes){bytes, size});

    (void)ignored; /* who missed this one sees the next */
}

/* One tick; false when it is over. The arena sleeps while nobody is there. */
static bool tick(game *g, struct timespec *next)
{
    uint8_t bytes[SNAPSHOT_BYTES];
    struct timespec begin, end;

    pthread_mutex_lock(&g->lock);
    if (g->humans_count == 0) {
        while (g->humans_count == 0 && !g->is_ending)
            pthread_cond_wait(&g->joined, &g->lock);
        clock_gettime(CLOCK_MONOTONIC, next);
    }
    clock_gettime(CLOCK_MONOTONIC, &begin);
    step(g);
    clock_gettime(CLOCK_MONOTONIC, &end);
    size_t size = write_snapshot(g, us_between(&begin, &end), bytes);
    bool goes_on = !g->is_ending;
    pthread_mutex_unlock(&g->lock);
    if (goes_on)
        send_group(g, bytes, size);
    return goes_on;
}

static void *run(void *context)
{
    game *g = context;
    struct timespec next;

    clock_gettime(CLOCK_MONOTONIC, &next);
    while (tick(g, &next)) {
        next.tv_nsec += 1000000000 / TICKS_PER_SECOND;
        next.tv_sec += next.tv_nsec / 1000000000;
        next.tv_nsec %= 1000000000;
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
    }
    return NULL;
}

/* ---- players ------------------------------------------------------------------------------------ */

static player *player_of(game *g, const dx_ws *ws)
{
    uintptr_t number = (uintptr_t)dx_ws_user(ws); /* its id + 1; 0: none, the arena was full */
    return number ? &g->players[number - 1] : NULL;
}

static void send_welcome(const game *g, dx_ws *ws, unsigned id)
{
    uint8_t bytes[NAMES_BYTES] = {WELCOME, (uint8_t)id};

    put_u16(put_u16(bytes + 2, WIDTH), HEIGHT)[0] = TICKS_PER_SECOND;
    dx_ws_send(ws, DX_WS_MESSAGE_BINARY, (dx_bytes){bytes, 7});
    bytes[0] = NAMES;
    uint8_t *at = bytes + 1;
    for (unsigned i = 0; i < PLAYERS; i++)
        at = put_name(at, i, &g->players[i]);
    dx_ws_send(ws, DX_WS_MESSAGE_BINARY, (dx_bytes){bytes, (size_t)(at - bytes)});
}

static void tell_name(const game *g, unsigned id)
{
    uint8_t bytes[3 + NAME_BYTES] = {NAMES};
    const uint8_t *end = put_name(bytes + 1, id, &g->players[id]);

    send_group(g, bytes, (size_t)(end - bytes));
}

/* In the place of a bot. */
static void join(game *g, dx_ws *ws, unsigned id)
{
    player *p = &g->players[id];
    char name[NAME_BYTES];
    int size = snprintf(name, sizeof name, "player %u", id + 1);

    *p = (player){.x = MARGIN + next_random(g) * (WIDTH - 2 * MARGIN),
                  .y = MARGIN + next_random(g) * (HEIGHT - 2 * MARGIN),
                  .is_human = true};
    name_set(p, name, (size_t)size);
    dx_ws_set_user(ws, (void *)(uintptr_t)(id + 1));
    g->humans_count++;
    pthread_cond_signal(&g->joined);
    send_welcome(g, ws, id);
    tell_name(g, id);
}

static void on_open(dx_ws *ws, void *context)
{
    game *g = context;
    unsigned id = 0;

    if (dx_ws_group_add(g->group, ws) != DX_OK) {
        dx_ws_close(ws, 1013, dx_bytes_of("out of memory"));
        return;
    }
    pthread_mutex_lock(&g->lock);
    while (id < PLAYERS && g->players[id].is_human)
        id++;
    if (id < PLAYERS)
        join(g, ws, id);
    else
        dx_ws_close(ws, 1013, dx_bytes_of("the arena is full"));
    pthread_mutex_unlock(&g->lock);
}

/* -1 to 1: more is not taken from anybody. */
static float wish(uint8_t byte)
{
    float value = (float)(int8_t)byte / 100;
    return value > 1 ? 1 : value < -1 ? -1 : value;
}

static void on_input(game *g, dx_ws *ws, dx_bytes b)
{
    player *p = player_of(g, ws);

    if (b.at[0] == INPUT && b.size == 3) {
        p->to_x = wish(b.at[1]);
        p->to_y = wish(b.at[2]);
    } else if (b.at[0] == NAME && b.size > 1) {
        name_set(p, b.at + 1, b.size - 1);
        tell_name(g, (unsigned)(p - g->players));
    } else {
        dx_ws_close(ws, 1008, dx_bytes_of("no message of this game"));
    }
}

static void on_message(dx_ws *ws, const dx_ws_message *m, void *context)
{
    game *g = context;
    dx_bytes b = m->payload;
    uint8_t pong[5] = {PONG};

    if (m->type != DX_WS_MESSAGE_BINARY || b.size == 0) {
        dx_ws_close(ws, 1003, dx_bytes_of("messages of this game are binary"));
    } else if (b.at[0] == PING && b.size == sizeof pong) {
        memcpy(pong + 1, b.at + 1, 4);
        dx_ws_send(ws, DX_WS_MESSAGE_BINARY, (dx_bytes){pong, sizeof pong});
    } else {
        pthread_mutex_lock(&g->lock);
        if (player_of(g, ws))
            on_input(g, ws, b);
        pthread_mutex_unlock(&g->lock);
    }
}

static void on_close(dx_ws *ws, uint16_t code, dx_bytes reason, void *context)
{
    game *g = context;

    (void)code;
    (void)reason;
    dx_ws_group_remove(g->group, ws);
    pthread_mutex_lock(&g->lock);
    player *p = player_of(g, ws);
    if (p) {
        unsigned id = (unsigned)(p - g->players);
        bot_enter(p, id);
        g->humans_count--;
        tell_name(g, id);
    }
    pthread_mutex_unlock(&g->lock);
}

/* ---- beginning and end -------------------------------------------------------------------------- */

static void arena_init(game *g)
{
    for (unsigned i = 0; i < CRYSTALS; i++)
        crystal_place(g, i);
    for (unsigned i = 0; i < PLAYERS; i++) {
        bot_enter(&g->players[i], i);
        g->players[i].x = MARGIN + next_random(g) * (WIDTH - 2 * MARGIN);
        g->players[i].y = MARGIN + next_random(g) * (HEIGHT - 2 * MARGIN);
    }
}

game *game_new(dx_server *server, uint64_t seed)
{
    game *g = calloc(1, sizeof *g);
    const dx_ws_handler handler = {
        .open = on_open, .message = on_message, .close = on_close, .context = g};

    if (g == NULL)
        return NULL;
    g->server = server;
    g->random = seed | 1;
    pthread_mutex_init(&g->lock, NULL);
    pthread_cond_init(&g->joined, NULL);
    arena_init(g);
    g->group = dx_server_group(server);
    if (g->group && dx_server_websocket(server, "/demo/game", &handler) == DX_OK)
        return g;
    game_free(g);
    return NULL;
}

bool game_start(game *g)
{
    g->is_started = pthread_create(&g->thread, NULL, run, g) == 0;
    return g->is_started;
}

void game_free(game *g)
{
    if (g == NULL)
        return;
    pthread_mutex_lock(&g->lock);
    g->is_ending = true;
    pthread_cond_signal(&g->joined);
    pthread_mutex_unlock(&g->lock);
    if (g->is_started)
        pthread_join(g->thread, NULL);
    pthread_cond_destroy(&g->joined);
    pthread_mutex_destroy(&g->lock);
    free(g);
}
