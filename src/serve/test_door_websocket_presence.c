/* Tests of the WebSocket door: being present, hearing of others, and what is refused.
 * SPDX-License-Identifier: MIT */
#include "base/assert.h"
#include "codec/json.h"
#include "serve/test_v1.h"

#include <pthread.h>

/* What the digests said, one after the other: "+id=data " and "-id ". */
typedef struct heard {
    char text[4096];
    size_t size;
    uint64_t count; /* as of the last one */
} heard;

static void hear(heard *h, const char *format, dx_bytes a, dx_bytes b)
{
    h->size += (size_t)snprintf(h->text + h->size, sizeof h->text - h->size, format, DX_FORMAT(a),
                                DX_FORMAT(b));
    dx_assert(h->size < sizeof h->text);
}

static void hear_digest(heard *h, dx_bytes object)
{
    dx_bytes list, item, id, data, count;
    dx_json_items it;

    if (dx_json_object_find(object, DX_BYTES("join"), &list) && dx_json_items_init(&it, list))
        while (dx_json_array_next(&it, &item)) {
            CHECK(dx_json_object_find(item, DX_BYTES("id"), &id));
            if (!dx_json_object_find(item, DX_BYTES("data"), &data))
                data = DX_BYTES("");
            hear(h, "+%.*s=%.*s ", id, data);
        }
    if (dx_json_object_find(object, DX_BYTES("leave"), &list) && dx_json_items_init(&it, list))
        while (dx_json_array_next(&it, &item))
            hear(h, "-%.*s%.*s ", item, DX_BYTES(""));
    CHECK(dx_json_object_find(object, DX_BYTES("count"), &count) &&
          dx_bytes_decimal(count, UINT32_MAX, &h->count));
}

/* Hears digests, and nothing else, until all of `want` was said. */
static void hear_until(int line, int fd, const char *want)
{
    heard h = {0};

    while (strcmp(h.text, want) != 0) {
        dx_v1_server_frame f = v1_next(fd);
        if (f.kind != DX_V1_MEMBERS || strncmp(h.text, want, h.size) != 0) {
            TAP_FAIL("line %d: heard \"%s\", then kind %d; expected \"%s\"", line, h.text,
                     (int)f.kind, want);
            return;
        }
        hear_digest(&h, f.data);
    }
}

#define HEAR(fd, want) hear_until(__LINE__, fd, want)

static void check_present(int line, dx_server *s, const char *path, const char *want)
{
    char url[100];

    snprintf(url, sizeof url, "%s?presence", path);
    answer a = http_get(s, url);
    if (a.status != 200 || strstr(a.body, want) == NULL)
        TAP_FAIL("line %d: %u %s", line, a.status, a.body);
    answer_free(&a);
}

TEST("?presence joins: everybody who is present hears it, and of those who come later, and leave")
{
    FOR_SERVERS(s, NULL) {
        int ann = v1_open(s, "/live/t?member=ann&presence=%7B%22n%22:1%7D");
        EXPECT_CAUGHT_UP(ann);
        HEAR(ann, "+\"ann\"={\"n\":1} ");
        int deaf = v1_open(s, "/live/t");
        EXPECT_CAUGHT_UP(deaf);
        int bob = v1_open(s, "/live/t?member=bob&presence");
        EXPECT_CAUGHT_UP(bob);
        HEAR(bob, "+\"bob\"= ");
        HEAR(ann, "+\"bob\"= ");
        check_present(__LINE__, s, "/live/t", "\"count\":2");
        post(s, "/live/t", "hello");
        EXPECT_TEXT(ann, "hello");
        EXPECT_TEXT(bob, "hello");
        EXPECT_TEXT(deaf, "hello");
        ws_send(bob, 8, dx_bytes_at("\x03\xe8", 2));
        HEAR(ann, "-\"bob\" ");
        int eve = v1_open(s, "/live/t?member=eve&presence=null");
        HEAR(ann, "+\"eve\"=null ");
        struct linger reset = {1, 0};
        setsockopt(eve, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        close(eve);
        HEAR(ann, "-\"eve\" ");
        CHECK(is_silent(deaf));
        close(ann), close(bob), close(deaf);
    }
}

TEST("by control: joins, has other data, leaves; others are heard from then on, and while it stays")
{
    FOR_SERVERS(s, NULL) {
        int ann = v1_open(s, "/live/t?member=ann&echo=0"),
            bob = v1_open(s, "/live/t?member=bob&presence");
        EXPECT_CAUGHT_UP(ann);
        EXPECT_CAUGHT_UP(bob);
        HEAR(bob, "+\"bob\"= ");
        ws_send_text(ann, "\n{\"presence\":{\"a\":1}}");
        HEAR(bob, "+\"ann\"={\"a\":1} ");
        HEAR(ann, "+\"ann\"={\"a\":1} ");
        ws_send_text(ann, "1\nto bob");
        EXPECT_ACK(ann, "1");
        EXPECT_TEXT(bob, "to bob"); /* and not to ann, as she asked */
        ws_send_text(bob, "\n{\"presence\":[2]}");
        HEAR(ann, "+\"bob\"=[2] ");
        HEAR(bob, "+\"bob\"=[2] ");
        ws_send_text(ann, "\n{\"presence\":null}");
        HEAR(bob, "-\"ann\" ");
        HEAR(ann, "-\"ann\" ");
        ws_send_text(ann, "\n{\"presence\":3}");
        HEAR(bob, "+\"ann\"=3 ");
        close(ann);
        HEAR(bob, "-\"ann\" ");
        close(bob);
    }
}

TEST("begins to hear of others though all that comes is its own, which it asked not to get")
{
    FOR_SERVERS(s, NULL) {
        int fds[20];
        for (int i = 0; i < 20; i++) {
            char path[60];
            snprintf(path, sizeof path, "/live/%d?member=ann&echo=0", i);
            fds[i] = v1_open(s, path);
            EXPECT_CAUGHT_UP(fds[i]);
            ws_send_text(fds[i], "-\nown");
            ws_send_text(fds[i], "\n{\"presence\":1}");
        }
        for (int i = 0; i < 20; i++) {
            HEAR(fds[i], "+\"ann\"=1 ");
            close(fds[i]);
        }
    }
}

TEST("without an id one is made; who does not read is present, too; a raw session hears nothing")
{
    FOR_SERVERS(s, NULL) {
        int ann = v1_open(s, "/live/t?member=ann&presence");
        EXPECT_CAUGHT_UP(ann);
        HEAR(ann, "+\"ann\"= ");
        int raw = ws_must_open(s, "/live/t?member=raw&presence=1");
        HEAR(ann, "+\"raw\"=1 ");
        int mute = v1_open(s, "/live/t?read=0&member=mute&presence");
        HEAR(ann, "+\"mute\"= ");
        int made = v1_open(s, "/live/t?presence");
        dx_v1_server_frame f;
        if (EXPECT(ann, MEMBERS, &f)) {
            heard h = {0};
            hear_digest(&h, f.data);
            CHECK_INT(h.size, strlen("+\"\"= ") + 32);
            CHECK_INT(h.count, 4);
        }
        CHECK(is_silent(raw) && is_silent(mute));
        post(s, "/live/t", "hello");
        CHECK(ws_next_is(raw, "hello"));
        EXPECT_TEXT(ann, "hello");
        CHECK(is_silent(mute));
        close(raw);
        HEAR(ann, "-\"raw\" ");
        close(mute);
        HEAR(ann, "-\"mute\" ");
        close(ann), close(made);
    }
}

TEST("what no member can be is 400 before the handshake, and told after it")
{
    char big[1200], path[1300];
    unsigned status;

    FOR_SERVERS(s, NULL) {
        static const char *const bad[] = {"presence=%7B", "presence=x", "presence=%ff",
                                          "member=%01&presence", "presence&presence"};
        for (size_t i = 0; i < DX_COUNT(bad); i++) {
            snprintf(path, sizeof path, "/live/t?%s", bad[i]);
            if (ws_open(s, path, &status) != -1 || status != 400)
                TAP_FAIL("%s: %u", path, status);
        }
        for (unsigned size = 1024; size <= 1025; size++) {
            memset(big, '1', size);
            big[size] = '\0';
            snprintf(path, sizeof path, "/live/t?presence=%s", big);
            int fd = ws_open(s, path, &status);
            CHECK_INT(status, size == 1024 ? 101 : 400);
            if (fd >= 0)
                close(fd);
        }
        for (int size = 64; size <= 65; size++) {
            snprintf(path, sizeof path, "/live/t?member=%.*s", size, big);
            int fd = ws_open(s, path, &status);
            CHECK_INT(status, size == 64 ? 101 : 400);
            if (fd >= 0)
                close(fd);
        }
        int fd = v1_open(s, "/live/t?read=0");
        snprintf(path, sizeof path, "\n{\"presence\":%s}", big);
        ws_send_text(fd, path);
        EXPECT_ERROR(fd, "", 413);
        ws_send_text(fd, "\n{\"presence\":x}");
        EXPECT_ERROR(fd, "", 400);
        close(fd);
    }
}

TEST("who may not see who is present cannot be: 403")
{
    FOR_SERVERS(s, (&(dx_stream_options){.access = {.presence = DX_MAY_NOBODY}})) {
        unsigned status;
        CHECK_INT(ws_open(s, "/live/t?presence", &status), -1);
        CHECK_INT(status, 403);
        int fd = v1_open(s, "/live/t");
        EXPECT_CAUGHT_UP(fd);
        ws_send_text(fd, "\n{\"presence\":{}}");
        EXPECT_ERROR(fd, "", 403);
        close(fd);
    }
}

/* ---- from one feed to the other ------------------------------------------------------------------ */

enum { PUBLISHED = 3000 };

static void *publish_numbers(void *context)
{
    int fd = v1_open(context, "/live/t?read=0");

    for (int i = 1; i <= PUBLISHED; i++) {
        char text[16];
        snprintf(text, sizeof text, "%s\n%d", i == PUBLISHED ? "e" : "-", i);
        ws_send_text(fd, text);
        if (i % 20 == 0)
            usleep(2000); /* for more than it takes to hear of others */
    }
    EXPECT_ACK(fd, "e");
    close(fd);
    return NULL;
}

TEST("who begins to hear of others in the middle of it loses no message, and gets none twice")
{
    FOR_SERVERS(s, (&(dx_stream_options){.kept_count_max = 100000})) {
        pthread_t thread;
        int fds[8], first[8];
        for (int i = 0; i < 8; i++) {
            fds[i] = v1_open(s, i % 2 ? "/live/t?offset=-1" : "/live/t?offset=-1&echo=0");
            first[i] = 1;
        }
        pthread_create(&thread, NULL, publish_numbers, s);
        for (int i = 0; i < 8; i++) {
            usleep(5000);
            ws_send_text(fds[i], "\n{\"presence\":0}");
        }
        for (int i = 0; i < 8; i++) {
            unsigned digests = 0;
            for (int next = first[i]; next <= PUBLISHED && tap_failures == 0;) {
                dx_v1_server_frame f = v1_next(fds[i]);
                char text[9] = "";
                dx_copy(text, f.data.at, dx_min_size(f.data.size, 8));
                if (f.kind == DX_V1_MESSAGE && atoi(text) != next++)
                    TAP_FAIL("%d instead of %d", atoi(text), next - 1);
                digests += f.kind == DX_V1_MEMBERS;
                if (f.kind != DX_V1_MESSAGE && f.kind != DX_V1_MEMBERS && f.kind != DX_V1_CAUGHT_UP)
                    TAP_FAIL("kind %d", (int)f.kind);
            }
            CHECK(digests > 0);
        }
        pthread_join(thread, NULL);
        for (int i = 0; i < 8; i++)
            close(fds[i]);
    }
}

TEST("a thousand come and go: nobody is present in the end")
{
    FOR_SERVERS(s, NULL) {
        int watcher = v1_open(s, "/live/t?member=watcher&presence"), fds[100];
        EXPECT_CAUGHT_UP(watcher);
        HEAR(watcher, "+\"watcher\"= ");
        for (int round = 0; round < 10; round++) {
            for (int i = 0; i < 100; i++)
                fds[i] = v1_open(s, "/live/t?presence");
            for (int i = 0; i < 100; i++)
                close(fds[i]);
        }
        heard h = {.count = 9};
        for (int i = 0; i < 200 && h.count != 1; i++) {
            dx_v1_server_frame f = v1_next(watcher);
            h.size = 0;
            dx_bytes count;
            CHECK(dx_json_object_find(f.data, DX_BYTES("count"), &count) &&
                  dx_bytes_decimal(count, 10000, &h.count));
        }
        CHECK_INT(h.count, 1);
        close(watcher);
    }
}
