/* Tests of followers and publishers: nothing is lost or doubled, also while the server goes away and comes back.
 * SPDX-License-Identifier: MIT */
#include "tests/library/scene.h"
#include "tests/tap.h"

/* ---- following ------------------------------------------------------------------------------------------- */

typedef struct seen {
    unsigned messages, caught_ups, troubles, ends, wrong;
    unsigned first; /* the number of the message that is expected first */
    dx_err err;
    unsigned status;
    char offset[64];
    dx_follower *follower;
    unsigned leave_at; /* frees the follower at so many messages */
} seen;

static void on_message(dx_follower *f, dx_bytes offset, dx_bytes payload, void *context)
{
    seen *s = context;
    char text[32];

    snprintf(text, sizeof text, "%.*s", (int)payload.size, (const char *)payload.at);
    s->wrong += (unsigned)atoi(text) != s->first + s->messages;
    s->messages++;
    snprintf(s->offset, sizeof s->offset, "%.*s", (int)offset.size, (const char *)offset.at);
    if (s->messages == s->leave_at)
        dx_follower_free(f);
}

static void on_caught_up(dx_follower *f, dx_bytes offset, void *context)
{
    (void)f, (void)offset;
    ((seen *)context)->caught_ups++;
}

static void on_trouble(dx_follower *f, const char *why, uint32_t again_ms, void *context)
{
    (void)f;
    CHECK(why[0] && again_ms > 0);
    ((seen *)context)->troubles++;
}

static void on_end(dx_follower *f, dx_err err, unsigned status, const char *text, void *context)
{
    seen *s = context;

    (void)f;
    CHECK(text && text[0]);
    s->ends++;
    s->err = err;
    s->status = status;
}

static dx_err follow(dx_client *c, const char *url, const char *offset, seen *s)
{
    return dx_client_follow(c, url, &(dx_follow_options){.offset = offset},
                            &(dx_follow_handler){.message = on_message,
                                                 .caught_up = on_caught_up,
                                                 .trouble = on_trouble,
                                                 .end = on_end,
                                                 .context = s},
                            &s->follower);
}

static void publish(dx_server *s, const char *stream, unsigned number)
{
    char text[16];

    snprintf(text, sizeof text, "%u", number);
    CHECK_INT(dx_publish(s,
                         &(dx_publication){.stream = dx_bytes_of(stream),
                                           .type = dx_bytes_of("text/plain"),
                                           .payload = dx_bytes_of(text)},
                         NULL, NULL),
              DX_OK);
}

TEST("a follower gets what has happened, then what happens, and resumes from its cursor")
{
    dx_server *s = scene_server(0, NULL);
    dx_client *c = scene_client();
    seen all = {0}, some = {0}, rest = {0};

    scene_start(s);
    for (unsigned i = 0; i < 10; i++)
        publish(s, "/live/a", i);
    CHECK_INT(follow(c, scene_url("ws", s, "/live/a"), "-1", &all), DX_OK);
    CHECK(scene_until(c, &all.messages, 10));
    CHECK(scene_until(c, &all.caught_ups, 1));
    publish(s, "/live/a", 10);
    CHECK(scene_until(c, &all.messages, 11));
    some.leave_at = 4; /* freed from its own callback */
    CHECK_INT(follow(c, scene_url("http", s, "/live/a"), "-1", &some), DX_OK);
    CHECK(scene_until(c, &some.messages, 4));
    rest.first = 4;
    CHECK_INT(follow(c, scene_url("ws", s, "/live/a"), some.offset, &rest), DX_OK);
    CHECK(scene_until(c, &rest.messages, 7));
    CHECK_INT(all.wrong + some.wrong + rest.wrong, 0);
    CHECK_INT(some.messages, 4);
    CHECK_BYTES(dx_follower_offset(all.follower), rest.offset);
    dx_client_free(c);
    CHECK_INT(all.ends, 1);
    CHECK_INT(all.err, DX_ERR_CLOSED);
    CHECK_INT(some.ends, 0);
    scene_stop(s);
}

TEST("a follower comes back to a server that went away, without a gap or a duplicate")
{
    const char *data = scene_directory();
    dx_server *s = scene_server(0, data);
    dx_client *c = scene_client();
    seen all = {0};
    unsigned sent = 0;

    scene_start(s);
    uint16_t port = dx_server_port(s);
    CHECK_INT(follow(c, scene_url("ws", s, "/kept/a"), "-1", &all), DX_OK);
    for (unsigned life = 0; life < 3; life++) {
        for (unsigned i = 0; i < 20; i++)
            publish(s, "/kept/a", sent++);
        CHECK(scene_until(c, &all.messages, sent));
        scene_stop(s);
        s = scene_server(port, data);
        scene_start(s);
    }
    publish(s, "/kept/a", sent++);
    CHECK(scene_until(c, &all.messages, sent));
    CHECK_INT(all.wrong, 0);
    CHECK_INT(all.troubles >= 3, 1);
    dx_client_free(c);
    scene_stop(s);
    scene_directory_end();
}

TEST("a follower is told for good: no such stream, closed, deleted")
{
    dx_server *s = scene_server(0, NULL);
    dx_client *c = scene_client();
    seen none = {0}, bad = {0};

    scene_start(s);
    CHECK_INT(follow(c, scene_url("ws", s, "/s/none"), "-1", &none), DX_OK);
    CHECK(scene_until(c, &none.ends, 1));
    CHECK_INT(none.err, DX_ERR_NOT_FOUND);
    CHECK_INT(none.status, 404);
    CHECK_INT(follow(c, scene_url("ws", s, "/live/a"), "yesterday", &bad), DX_ERR_NAME);
    dx_client_free(c);
    scene_stop(s);
}

typedef struct call {
    unsigned dones, status;
} call;

static void call_head(dx_request *r, const dx_reply *reply, void *context)
{
    (void)r;
    ((call *)context)->status = reply->status;
}

static void call_done(dx_request *r, dx_err err, const char *text, void *context)
{
    (void)r, (void)text;
    CHECK_INT(err, DX_OK);
    ((call *)context)->dones++;
}

static unsigned request(dx_client *c, const char *method, const char *url, const dx_header *header)
{
    call k = {0};

    CHECK_INT(dx_client_request(
                  c, url,
                  &(dx_request_options){
                      .method = method, .headers = header, .headers_count = header ? 1 : 0},
                  &(dx_request_handler){.head = call_head, .done = call_done, .context = &k}, NULL),
              DX_OK);
    CHECK(scene_until(c, &k.dones, 1));
    return k.status;
}

TEST("a follower ends well when the stream is closed, and is told when it is deleted")
{
    dx_server *s = scene_server(0, NULL);
    dx_client *c = scene_client();
    seen closed = {0}, deleted = {0};
    dx_header close = {dx_bytes_of("Stream-Closed"), dx_bytes_of("true")};

    scene_start(s);
    CHECK_INT(request(c, "PUT", scene_url("http", s, "/s/a"), NULL), 201);
    CHECK_INT(request(c, "PUT", scene_url("http", s, "/s/b"), NULL), 201);
    CHECK_INT(follow(c, scene_url("ws", s, "/s/a"), "-1", &closed), DX_OK);
    CHECK_INT(follow(c, scene_url("ws", s, "/s/b"), "-1", &deleted), DX_OK);
    CHECK(scene_until(c, &closed.caught_ups, 1) && scene_until(c, &deleted.caught_ups, 1));
    CHECK_INT(request(c, "POST", scene_url("http", s, "/s/a"), &close) / 100, 2);
    CHECK_INT(request(c, "DELETE", scene_url("http", s, "/s/b"), NULL) / 100, 2);
    CHECK(scene_until(c, &closed.ends, 1) && scene_until(c, &deleted.ends, 1));
    CHECK_INT(closed.err, DX_OK);
    CHECK_INT(deleted.err, DX_ERR_NOT_FOUND);
    dx_client_free(c);
    scene_stop(s);
}

TEST("a follower that pauses holds nothing, and misses nothing")
{
    dx_server *s = scene_server(0, NULL);
    dx_client *c = scene_client();
    seen all = {0};

    scene_start(s);
    CHECK_INT(follow(c, scene_url("ws", s, "/live/p"), "-1", &all), DX_OK);
    CHECK(scene_until(c, &all.caught_ups, 1));
    dx_follower_pause(all.follower);
    for (unsigned i = 0; i < 100; i++)
        publish(s, "/live/p", i);
    for (int i = 0; i < 10; i++)
        dx_client_step(c, 5);
    CHECK_INT(all.messages, 0);
    dx_follower_resume(all.follower);
    CHECK(scene_until(c, &all.messages, 100));
    CHECK_INT(all.wrong, 0);
    dx_client_free(c);
    scene_stop(s);
}

/* ---- publishing ------------------------------------------------------------------------------------------ */

typedef struct told {
    unsigned dones, goods, closed, refused, status;
    dx_err err;
    char text[200];
} told;

static void on_published(const dx_published *what, void *context)
{
    told *t = context;

    t->dones++;
    t->goods += what->err == DX_OK;
    t->closed += what->err == DX_ERR_CLOSED;
    if (what->err != DX_OK && what->err != DX_ERR_CLOSED) {
        t->refused++;
        t->err = what->err;
        t->status = what->status;
        snprintf(t->text, sizeof t->text, "%s", what->text);
    }
}

static void send_number(dx_publisher *p, unsigned number, told *t)
{
    char text[16];

    snprintf(text, sizeof text, "%u", number);
    CHECK_INT(dx_publisher_send(p, dx_bytes_of(text), on_published, t), DX_OK);
}

static dx_publisher *publisher(dx_client *c, const char *url, const char *type)
{
    dx_publisher *p = NULL;

    CHECK_INT(dx_client_publisher(c, url, &(dx_publisher_options){.type = type}, &p), DX_OK);
    return p;
}

TEST("what is published is acknowledged, and is in the stream in order")
{
    dx_server *s = scene_server(0, NULL);
    dx_client *c = scene_client();
    dx_publisher *p = NULL;
    told t = {0};
    seen all = {0};

    scene_start(s);
    p = publisher(c, scene_url("http", s, "/live/a"), "text/plain");
    for (unsigned i = 0; i < 500; i++)
        send_number(p, i, &t);
    CHECK_INT(dx_publisher_waiting(p), 500);
    CHECK(scene_until(c, &t.goods, 500));
    CHECK_INT(dx_publisher_waiting(p), 0);
    CHECK_INT(follow(c, scene_url("ws", s, "/live/a"), "-1", &all), DX_OK);
    CHECK(scene_until(c, &all.messages, 500));
    CHECK_INT(all.wrong, 0);
    dx_publisher_free(p);
    dx_client_free(c);
    scene_stop(s);
}

TEST("a publisher outlives its server: every message once, in order")
{
    const char *data = scene_directory();
    dx_server *s = scene_server(0, data);
    dx_client *c = scene_client();
    told t = {0};
    seen all = {0};
    unsigned sent = 0;

    scene_start(s);
    uint16_t port = dx_server_port(s);
    dx_publisher *p = publisher(c, scene_url("http", s, "/kept/a"), "text/plain");
    for (unsigned life = 0; life < 4; life++) {
        for (unsigned i = 0; i < 150; i++)
            send_number(p, sent++, &t);
        CHECK(scene_until(c, &t.goods, sent - 120)); /* some are under way now */
        scene_stop(s);
        s = scene_server(port, data);
        scene_start(s);
    }
    CHECK(scene_until(c, &t.goods, sent));
    CHECK_INT(t.dones, sent);
    CHECK_INT(follow(c, scene_url("ws", s, "/kept/a"), "-1", &all), DX_OK);
    CHECK(scene_until(c, &all.messages, sent));
    CHECK(scene_until(c, &all.caught_ups, 1));
    CHECK_INT(all.messages, sent);
    CHECK_INT(all.wrong, 0);
    dx_client_free(c);
    scene_stop(s);
    scene_directory_end();
}

TEST("a message that is refused is told so with the server's words, and holds no other up")
{
    dx_server *s = scene_server(0, NULL);
    dx_client *c = scene_client();
    told good = {0}, bad = {0};

    scene_start(s);
    dx_publisher *p = publisher(c, scene_url("http", s, "/live/j"), "application/json");
    for (unsigned i = 0; i < 30; i++) {
        send_number(p, i, &good);
        if (i % 10 == 5)
            CHECK_INT(dx_publisher_send(p, dx_bytes_of("{no JSON"), on_published, &bad), DX_OK);
    }
    CHECK(scene_until(c, &good.goods, 30));
    CHECK(scene_until(c, &bad.refused, 3));
    CHECK_INT(bad.err, DX_ERR_NAME);
    CHECK_INT(bad.status, 400);
    CHECK(strstr(bad.text, "JSON") != NULL);
    CHECK_INT(good.refused, 0);
    dx_client_free(c);
    scene_stop(s);
}

TEST("large messages and JSON arrays are one message each")
{
    dx_server *s = scene_server(0, NULL);
    dx_client *c = scene_client();
    told t = {0};
    seen all = {0};
    static char text[400000];

    scene_start(s);
    dx_publisher *p = publisher(c, scene_url("http", s, "/live/j"), "application/json");
    memset(text, ' ', sizeof text - 1);
    for (unsigned i = 0; i < 6; i++) {
        snprintf(text, 16, "%u", i);
        text[strlen(text)] = ' ';
        send_number(p, 2 * i, &t);
        text[0] = (char)('0' + (2 * i + 1) % 10), text[1] = ' ';
        CHECK_INT(dx_publisher_send(p, dx_bytes_of(text), on_published, &t), DX_OK);
    }
    CHECK_INT(dx_publisher_send(p, dx_bytes_of("[1,2]"), on_published, &t), DX_OK);
    CHECK(scene_until(c, &t.goods, 13));
    CHECK_INT(follow(c, scene_url("ws", s, "/live/j"), "-1", &all), DX_OK);
    CHECK(scene_until(c, &all.caught_ups, 1));
    CHECK_INT(all.messages, 13);
    dx_client_free(c);
    scene_stop(s);
}

TEST("where there is no stream every message is told so; at the end those that wait are")
{
    dx_server *s = scene_server(0, NULL);
    dx_client *c = scene_client();
    told none = {0}, waiting = {0};

    scene_start(s);
    dx_publisher *p = publisher(c, scene_url("http", s, "/s/none"), "text/plain");
    for (unsigned i = 0; i < 5; i++)
        send_number(p, i, &none);
    CHECK(scene_until(c, &none.refused, 5));
    CHECK_INT(none.err, DX_ERR_NOT_FOUND);
    scene_stop(s);
    for (unsigned i = 0; i < 5; i++)
        send_number(p, i, &waiting);
    dx_client_free(c);
    CHECK_INT(waiting.closed, 5);
    CHECK_INT(waiting.dones, 5);
}

TEST("a full queue says so, and takes nothing")
{
    dx_client *c = scene_client();
    dx_publisher *p = NULL;
    told t = {0};

    CHECK_INT(dx_client_publisher(c, "http://127.0.0.1:9/",
                                  &(dx_publisher_options){.queue_count_max = 2}, &p),
              DX_ERR_NAME); /* of which type? */
    CHECK_INT(dx_client_publisher(
                  c, "http://127.0.0.1:9/",
                  &(dx_publisher_options){.type = "text/plain", .queue_count_max = 2}, &p),
              DX_OK);
    send_number(p, 1, &t);
    send_number(p, 2, &t);
    CHECK_INT(dx_publisher_send(p, dx_bytes_of("3"), on_published, &t), DX_ERR_BUSY);
    dx_publisher_free(p);
    CHECK_INT(t.closed, 2);
    dx_client_free(c);
}
