/* Tests of groups: who is in gets what any thread sends, in order, on whichever worker it is.
 * SPDX-License-Identifier: MIT */
#include "serve/test_peer.h"
#include "tests/tap.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { CLIENTS = 12, MESSAGES = 200 };

typedef struct club {
    dx_server *server;
    dx_ws_group *group;
    atomic_int in_count;
} club;

static void on_open(dx_ws *ws, void *context)
{
    club *c = context;

    CHECK_INT(dx_ws_group_add(c->group, ws), DX_OK);
    atomic_fetch_add(&c->in_count, 1);
}

static void on_message(dx_ws *ws, const dx_ws_message *m, void *context)
{
    club *c = context;

    if (dx_bytes_equal(m->payload, DX_BYTES("out")))
        dx_ws_group_remove(c->group, ws);
    dx_ws_send(ws, m->type, m->payload); /* behind what the group has sent so far */
}

static void on_close(dx_ws *ws, uint16_t code, dx_bytes reason, void *context)
{
    club *c = context;

    (void)code;
    (void)reason;
    dx_ws_group_remove(c->group, ws);
    dx_ws_group_remove(c->group, ws); /* once more: it is not in */
    atomic_fetch_sub(&c->in_count, 1);
}

static void club_init(club *c, const char *loop, uint32_t workers)
{
    *c = (club){
        .server = dx_server_new(&(dx_server_options){
            .listen = "127.0.0.1:0", .loop = loop, .workers = workers, .log_level = "error"})};
    c->group = dx_server_group(c->server);
    CHECK(c->group != NULL);
    CHECK_INT(dx_ws_group_send(c->group, DX_WS_MESSAGE_TEXT, DX_BYTES("too early")), DX_ERR_CLOSED);
    CHECK_INT(dx_server_websocket(
                  c->server, "/club",
                  &(dx_ws_handler){
                      .open = on_open, .message = on_message, .close = on_close, .context = c}),
              DX_OK);
    CHECK_INT(dx_server_start(c->server), DX_OK);
}

static void *send_all(void *context)
{
    const club *c = context;
    char text[16];

    for (int i = 0; i < MESSAGES; i++) {
        snprintf(text, sizeof text, "%d", i);
        CHECK_INT(dx_ws_group_send(c->group, DX_WS_MESSAGE_TEXT, dx_bytes_of(text)), DX_OK);
    }
    return NULL;
}

static void check_messages(int fd)
{
    char text[16];

    for (int i = 0; i < MESSAGES; i++) {
        snprintf(text, sizeof text, "%d", i);
        if (!ws_next_is(fd, text)) {
            TAP_FAIL("message %d did not come", i);
            return;
        }
    }
}

static void wait_for(const club *c, int count)
{
    for (int i = 0; i < 10000 && atomic_load(&c->in_count) != count; i++)
        usleep(1000);
    CHECK_INT(atomic_load(&c->in_count), count);
}

static void play(const char *loop, uint32_t workers)
{
    club c;
    int fds[CLIENTS];
    pthread_t thread;

    club_init(&c, loop, workers);
    for (int i = 0; i < CLIENTS; i++)
        fds[i] = ws_must_open(c.server, "/club");
    wait_for(&c, CLIENTS);
    CHECK_INT(pthread_create(&thread, NULL, send_all, &c), 0);
    for (int i = 0; i < CLIENTS; i++)
        check_messages(fds[i]);
    pthread_join(thread, NULL);

    ws_send_text(fds[0], "out");
    CHECK(ws_next_is(fds[0], "out"));
    close(fds[1]);
    wait_for(&c, CLIENTS - 1);
    CHECK_INT(dx_ws_group_send(c.group, DX_WS_MESSAGE_BINARY, DX_BYTES("last")), DX_OK);
    ws_send_text(fds[0], "after");
    CHECK(ws_next_is(fds[0], "after")); /* and not "last" */
    for (int i = 2; i < CLIENTS; i++) {
        const frame *f = ws_next(fds[i]);
        CHECK_INT(f->opcode, 2);
        CHECK_BYTES(dx_bytes_at(f->payload, f->size), "last");
    }
    dx_server_stop(c.server);
    dx_server_wait(c.server);
    CHECK_INT(dx_ws_group_send(c.group, DX_WS_MESSAGE_TEXT, DX_BYTES("too late")), DX_ERR_CLOSED);
    dx_server_free(c.server);
    for (int i = 0; i < CLIENTS; i++)
        if (i != 1)
            close(fds[i]);
}

TEST("who is in a group gets what a thread sends, in order; who is out does not")
{
    for (const char *const *name = loop_names(); *name; name++)
        for (uint32_t workers = 1; workers <= 3; workers++)
            play(*name, workers);
}
