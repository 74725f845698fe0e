/* Tests of duplex.v1 at the WebSocket door: cursors, acknowledgements, refusals, caught_up, pings.
 * SPDX-License-Identifier: MIT */
#include "serve/test_v1.h"

#include <pthread.h>

TEST("duplex.v1 is spoken with who asks for it; who asks for others only gets raw messages")
{
    FOR_SERVERS(s, NULL) {
        answer head;
        int fd = open_asking(peer_connect(dx_server_port(s)), "/live/t", "x, duplex.v1", &head);
        CHECK(strcmp(answer_field(&head, "Sec-WebSocket-Protocol"), "duplex.v1") == 0);
        int raw = open_asking(peer_connect(dx_server_port(s)), "/live/t", "duplex.v2", &head);
        CHECK(strcmp(answer_field(&head, "Sec-WebSocket-Protocol"), "") == 0);
        EXPECT_CAUGHT_UP(fd);
        post(s, "/live/t", "1");
        EXPECT_TEXT(fd, "1");
        CHECK(ws_next_is(raw, "1"));
        close(fd), close(raw);
    }
}

TEST("each message comes with the cursor behind it, at which every door goes on")
{
    FOR_SERVERS(s, NULL) {
        int fd = v1_open(s, "/live/t");
        dx_offset tail = EXPECT_CAUGHT_UP(fd), last = tail;
        for (char n[] = "1"; n[0] <= '4'; n[0]++) {
            post(s, "/live/t", n);
            dx_offset at = EXPECT_TEXT(fd, n);
            CHECK(dx_offset_compare(at, last) > 0);
            last = at;
            tail = n[0] == '2' ? at : tail;
        }
        int v1 = v1_open(s, path_at("/live/t", tail));
        EXPECT_TEXT(v1, "3");
        CHECK_INT(dx_offset_compare(EXPECT_TEXT(v1, "4"), last), 0);
        CHECK_INT(dx_offset_compare(EXPECT_CAUGHT_UP(v1), last), 0);
        int raw = ws_must_open(s, path_at("/live/t", tail));
        CHECK(ws_next_is(raw, "3"));
        CHECK(ws_next_is(raw, "4"));
        answer get = http_get(s, path_at("/live/t", tail));
        CHECK_MEM(get.body, get.size, "34", 2);
        answer_free(&get);
        CHECK(is_silent(v1) && is_silent(raw));
        close(fd), close(v1), close(raw);
    }
}

TEST("text and JSON are text messages, bytes are binary ones")
{
    FOR_SERVERS(s, NULL) {
        int json = v1_open(s, "/live/j"), bytes = v1_open(s, "/live/b");
        EXPECT_CAUGHT_UP(json);
        EXPECT_CAUGHT_UP(bytes);
        CHECK_INT(http_status(s, "POST", "/live/j", "application/json", "[{\"a\":1}]"), 204);
        CHECK_INT(ws_next(json)->opcode, 1);
        CHECK_INT(http_status(s, "POST", "/live/b", "application/octet-stream", "\xff\n"), 204);
        const frame *f = ws_next(bytes);
        CHECK_INT(f->opcode, 2);
        CHECK_MEM(f->payload + DX_V1_LINE_SIZE, f->size - DX_V1_LINE_SIZE, "\xff\n", 2);
        ws_send(bytes, 2, dx_bytes_at("i\n\0\n", 4));
        dx_v1_server_frame told[2] = {v1_next(bytes), v1_next(bytes)};
        CHECK(told[0].kind + told[1].kind == DX_V1_MESSAGE + DX_V1_ACK);
        close(json), close(bytes);
    }
}

TEST("a message with an id is acknowledged with its cursor, in order; one with \"-\" is not")
{
    FOR_SERVERS(s, NULL) {
        int fd = v1_open(s, "/live/t?read=0"), reader = v1_open(s, "/live/t");
        EXPECT_CAUGHT_UP(reader);
        ws_send_text(fd, "1\none");
        ws_send_text(fd, "\"~\ntwo\nlines");
        ws_send_text(fd, "-\nno answer");
        ws_send_text(fd, "4\n");
        dx_offset one = EXPECT_ACK(fd, "1"), two = EXPECT_ACK(fd, "\"~"),
                  four = EXPECT_ACK(fd, "4");
        CHECK_INT(dx_offset_compare(EXPECT_TEXT(reader, "one"), one), 0);
        CHECK_INT(dx_offset_compare(EXPECT_TEXT(reader, "two\nlines"), two), 0);
        EXPECT_TEXT(reader, "no answer");
        CHECK_INT(dx_offset_compare(EXPECT_TEXT(reader, ""), four), 0);
        CHECK(is_silent(fd));
        close(fd), close(reader);
    }
}

TEST("echo=0 leaves out one's own messages; acknowledgements come all the same")
{
    FOR_SERVERS(s, NULL) {
        int fd = v1_open(s, "/live/t?echo=0");
        EXPECT_CAUGHT_UP(fd);
        ws_send_text(fd, "1\nown");
        EXPECT_ACK(fd, "1");
        post(s, "/live/t", "other");
        EXPECT_TEXT(fd, "other");
        CHECK(is_silent(fd));
        close(fd);
    }
}

TEST("what is not duplex.v1 is refused with 400, appended is nothing, and the session goes on")
{
    static const char *const bad[] = {"",
                                      "no line",
                                      "a b\nx",
                                      "\n",
                                      "\n[]",
                                      "\n{}",
                                      "\n{\"a\":1}",
                                      "\nhello",
                                      "\n{\"ack\":\"1\"}",
                                      "\n{\"ping\":1,\"presence\":{}}"};
    FOR_SERVERS(s, NULL) {
        int fd = v1_open(s, "/live/t?read=0");
        for (size_t i = 0; i < DX_COUNT(bad); i++) {
            ws_send_text(fd, bad[i]);
            EXPECT_ERROR(fd, "", 400);
        }
        ws_send_text(fd, "1\ngood");
        EXPECT_ACK(fd, "1");
        check_log(__LINE__, s, "/live/t", "good");
        close(fd);
    }
}

TEST("a refused message is answered under its id, and the session goes on")
{
    FOR_SERVERS(s, (&(dx_stream_options){.message_bytes_max = 10})) {
        int text = v1_open(s, "/live/t?read=0"), json = v1_open(s, "/live/j?read=0");
        ws_send_text(text, "1\ntext");
        EXPECT_ACK(text, "1");
        ws_send(text, 2, dx_bytes_of("2\nbytes"));
        EXPECT_ERROR(text, "2", 409);
        ws_send_text(text, "3\n12345678901");
        EXPECT_ERROR(text, "3", 413);
        ws_send_text(text, "-\n12345678901");
        EXPECT_ERROR(text, "", 413);
        ws_send_text(text, "4\n1234567890");
        EXPECT_ACK(text, "4");
        CHECK_INT(http_status(s, "POST", "/live/j", "application/json", "[1]"), 204);
        ws_send_text(json, "1\n{");
        EXPECT_ERROR(json, "1", 400);
        ws_send_text(json, "2\n{}");
        EXPECT_ACK(json, "2");
        check_log(__LINE__, s, "/live/t", "text1234567890");
        close(text), close(json);
    }
}

/* The next is an acknowledgement of this id, or of a message that was there before. */
static void expect_ack(int line, int fd, const char *id, bool is_duplicate)
{
    dx_v1_server_frame f;

    if (v1_is(line, fd, DX_V1_ACK, &f) &&
        (!dx_bytes_equal(dx_bytes_at(f.id, f.id_size), dx_bytes_of(id)) ||
         f.is_duplicate != is_duplicate))
        TAP_FAIL("line %d: ack of %.*s%s, expected %s", line, (int)f.id_size, f.id,
                 f.is_duplicate ? " again" : "", id);
}

TEST("producer=: what is sent again stands in the stream once, on whichever connection or door")
{
    FOR_SERVERS(s, NULL) {
        int fd = v1_open(s, "/live/t?read=0&producer=p");
        ws_send_text(fd, "0.0\na");
        ws_send_text(fd, "0.1\nb");
        expect_ack(__LINE__, fd, "0.0", false);
        expect_ack(__LINE__, fd, "0.1", false);
        close(fd);
        fd = v1_open(s, "/live/t?read=0&producer=p");
        for (char text[] = "0.0\na"; text[2] <= '2'; text[2]++, text[4]++)
            ws_send_text(fd, text);
        expect_ack(__LINE__, fd, "0.0", true);
        expect_ack(__LINE__, fd, "0.1", true);
        expect_ack(__LINE__, fd, "0.2", false);
        answer a = http(s, "POST", "/live/t",
                        "Content-Type: text/plain\r\nProducer-Id: p\r\nProducer-Epoch: 0\r\n"
                        "Producer-Seq: 2\r\n",
                        DX_BYTES("c"));
        CHECK_INT(a.status, 204);
        answer_free(&a);
        int other = v1_open(s, "/live/t?read=0&producer=q");
        ws_send_text(other, "0.0\nd");
        expect_ack(__LINE__, other, "0.0", false);
        check_log(__LINE__, s, "/live/t", "abcd");
        close(fd), close(other);
    }
}

TEST("producer=: a number that is not the next one is refused, and what follows it, too")
{
    FOR_SERVERS(s, NULL) {
        int fd = v1_open(s, "/live/t?read=0&producer=p");
        ws_send_text(fd, "0.1\nx");
        EXPECT_ERROR(fd, "0.1", 409);
        ws_send_text(fd, "3.0\na");
        EXPECT_ACK(fd, "3.0");
        ws_send_text(fd, "3.2\nx");
        EXPECT_ERROR(fd, "3.2", 409);
        ws_send_text(fd, "3.3\nx");
        EXPECT_ERROR(fd, "3.3", 409);
        ws_send_text(fd, "4.1\nx");
        EXPECT_ERROR(fd, "4.1", 400);
        ws_send_text(fd, "2.0\nx");
        EXPECT_ERROR(fd, "2.0", 403);
        static const char *const bad[] = {"1\nx", "-\nx", "3.x\nx", "3.01\nx"};
        for (size_t i = 0; i < DX_COUNT(bad); i++) {
            ws_send_text(fd, bad[i]);
            EXPECT_ERROR(fd, i == 0 ? "1" : i == 1 ? "" : i == 2 ? "3.x" : "3.01", 400);
        }
        ws_send_text(fd, "4.0\nb");
        EXPECT_ACK(fd, "4.0");
        check_log(__LINE__, s, "/live/t", "ab");
        unsigned status;
        CHECK_INT(v1_open_on(peer_connect(dx_server_port(s)), "/live/t?producer=", &status), -1);
        CHECK_INT(status, 400);
        int raw = ws_must_open(s, "/live/t?read=0&producer=p"); /* has no ids */
        ws_send_text(raw, "c");
        ws_send_text(fd, "4.1\nd");
        EXPECT_ACK(fd, "4.1");
        close(fd), close(raw);
    }
}

TEST("write=0: a message is answered with 403, and the session goes on")
{
    FOR_SERVERS(s, NULL) {
        int fd = v1_open(s, "/live/t?write=0");
        EXPECT_CAUGHT_UP(fd);
        ws_send_text(fd, "1\nx");
        EXPECT_ERROR(fd, "1", 403);
        post(s, "/live/t", "other");
        EXPECT_TEXT(fd, "other");
        close(fd);
    }
}

TEST("above the rate of its stream a message is answered with 429")
{
    FOR_SERVERS(s, (&(dx_stream_options){.append_rate_max = 2})) {
        int fd = v1_open(s, "/live/t?read=0"), raw = ws_must_open(s, "/live/t?read=0");
        for (int i = 0; i < 10; i++)
            ws_send_text(fd, "1\nx");
        unsigned acks = 0, refused = 0;
        for (int i = 0; i < 10; i++) {
            dx_v1_server_frame f = v1_next(fd);
            acks += f.kind == DX_V1_ACK;
            refused += f.kind == DX_V1_ERROR && f.status == 429;
        }
        CHECK_INT(acks + refused, 10);
        CHECK(acks >= 2 && refused > 0);
        for (int i = 0; i < 10; i++)
            ws_send_text(raw, "x");
        CHECK_INT(ws_close_code(raw), 4429);
        close(fd), close(raw);
    }
}

TEST("caught_up comes once, behind all that was there")
{
    FOR_SERVERS(s, (&(dx_stream_options){.kept_count_max = 100000})) {
        int writer = v1_open(s, "/live/t?read=0");
        for (int i = 0; i < 1000; i++)
            ws_send_text(writer, i == 999 ? "last\nx" : "-\nx");
        dx_offset last = EXPECT_ACK(writer, "last");
        int fd = v1_open(s, "/live/t?offset=-1");
        for (int i = 0; i < 1000; i++)
            EXPECT_TEXT(fd, "x");
        CHECK_INT(dx_offset_compare(EXPECT_CAUGHT_UP(fd), last), 0);
        post(s, "/live/t", "live");
        EXPECT_TEXT(fd, "live");
        int quiet = v1_open(s, "/live/t?offset=-1&echo=0"),
            none = v1_open(s, "/live/new?offset=-1");
        for (int i = 0; i < 1001; i++)
            EXPECT_TEXT(quiet, i == 1000 ? "live" : "x");
        EXPECT_CAUGHT_UP(quiet);
        CHECK_INT(EXPECT_CAUGHT_UP(none).sequence, 0);
        CHECK(is_silent(fd) && is_silent(quiet) && is_silent(none));
        close(writer), close(fd), close(quiet), close(none);
    }
}

TEST("a ping is answered, behind what was published before it")
{
    FOR_SERVERS(s, NULL) {
        int fd = v1_open(s, "/live/t"), quiet = v1_open(s, "/live/t?echo=0");
        dx_v1_server_frame f;
        EXPECT_CAUGHT_UP(fd);
        EXPECT_CAUGHT_UP(quiet);
        for (int i = 0; i < 20; i++) {
            ws_send_text(fd, "-\n1");
            ws_send_text(fd, "2\n2");
            ws_send_text(fd, "\n{\"ping\":{\"n\":[1]}}");
            ws_send_text(fd, "\n{\"ping\":2}");
            ws_send_text(fd, "-\n3");
            unsigned acks = 0, messages = 0;
            while ((f = v1_next(fd)).kind == DX_V1_ACK || f.kind == DX_V1_MESSAGE)
                f.kind == DX_V1_ACK ? acks++ : messages++;
            CHECK_INT(acks, 1);
            CHECK_INT(messages, 2);
            CHECK_INT(f.kind, DX_V1_PONG);
            CHECK_BYTES(f.data, "{\"n\":[1]}");
            if (EXPECT(fd, PONG, &f))
                CHECK_BYTES(f.data, "2");
            EXPECT_TEXT(fd, "3");
            for (char n[] = "1"; n[0] <= '3'; n[0]++)
                EXPECT_TEXT(quiet, n);
            ws_send_text(quiet, "1\nq");
            ws_send_text(quiet, "\n{\"ping\":1}");
            EXPECT_ACK(quiet, "1");
            EXPECT(quiet, PONG, &f);
            EXPECT_TEXT(fd, "q");
        }
        ws_send_text(fd, "\n{\"ping\":\"still there\"}");
        EXPECT(fd, PONG, &f);
        close(fd), close(quiet);
    }
}

TEST("a Close behind messages is answered when they are acknowledged")
{
    FOR_SERVERS(s, NULL)
        for (int i = 0; i < 20; i++) {
            char path[40];
            snprintf(path, sizeof path, "/live/%d?read=0", i);
            int fd = v1_open(s, path);
            ws_send_text(fd, "1\nx");
            ws_send_text(fd, "2\nx");
            ws_send(fd, 8, dx_bytes_at("\x03\xe8", 2));
            EXPECT_ACK(fd, "1");
            EXPECT_ACK(fd, "2");
            CHECK_INT(ws_close_code(fd), 1000);
            close(fd);
        }
}

/* ---- acknowledgements under load ----------------------------------------------------------------- */

enum { UNREAD = 40000 };

static void *publish_unread(void *context)
{
    int fd = *(const int *)context;

    for (int i = 0; i < UNREAD; i++) {
        char text[32];
        snprintf(text, sizeof text, "%d\nx", i);
        ws_send_text(fd, text);
    }
    return NULL;
}

TEST("who publishes and does not read is not read either, and then gets every acknowledgement")
{
    FOR_SERVERS(s, NULL) {
        unsigned status;
        pthread_t thread;
        int fd = v1_open_on(peer_connect_unix(), "/live/t?read=0", &status);
        pthread_create(&thread, NULL, publish_unread, &fd);
        usleep(300000);
        for (int i = 0; i < UNREAD; i++) {
            char id[16];
            snprintf(id, sizeof id, "%d", i);
            EXPECT_ACK(fd, id);
            if (tap_failures)
                break;
        }
        pthread_join(thread, NULL);
        close(fd);
    }
}
