/* Tests of the HTTP doors together: names, types, positions, and what is refused with which status.
 * SPDX-License-Identifier: MIT */
#include "serve/test_door.h"

#include <sys/socket.h>
#include <unistd.h>

TEST(
    "POST appends, GET reads the bytes in a row from the start, with the type of the first message")
{
    FOR_SERVERS(s, NULL) {
        CHECK_INT(http_status(s, "POST", "/live/a", "text/plain", "one "), 204);
        CHECK_INT(http_status(s, "POST", "/live/a", "TEXT/plain", "two "), 204);
        answer post = http_post(s, "/live/a", "text/plain", "three");
        CHECK_INT(strlen(answer_field(&post, "Stream-Next-Offset")), 33);
        answer get = http_get(s, "/live/a");
        CHECK_INT(get.status, 200);
        CHECK(strcmp(answer_field(&get, "Content-Type"), "text/plain") == 0);
        CHECK(strcmp(answer_field(&get, "Stream-Up-To-Date"), "true") == 0);
        char offset[40];
        snprintf(offset, sizeof offset, "%s", answer_field(&get, "Stream-Next-Offset"));
        CHECK(strcmp(answer_field(&post, "Stream-Next-Offset"), offset) == 0);
        CHECK_MEM(get.body, get.size, "one two three", 13);
        answer_free(&post);
        answer_free(&get);
    }
}

TEST(
    "GET from a cursor gives what follows it, from now nothing; HEAD gives the tail and no content")
{
    FOR_SERVERS(s, NULL) {
        char path[100];
        answer post = http_post(s, "/live/a", "text/plain", "one");
        snprintf(path, sizeof path, "/live/a?offset=%s", answer_field(&post, "Stream-Next-Offset"));
        answer_free(&post);
        CHECK_GET(s, path, 200, "");
        CHECK_INT(http_status(s, "POST", "/live/a", "text/plain", "two"), 204);
        CHECK_GET(s, path, 200, "two");
        CHECK_GET(s, "/live/a?offset=-1", 200, "onetwo");
        CHECK_GET(s, "/live/a?offset=now", 200, "");
        answer head = http(s, "HEAD", "/live/a", "", (dx_bytes){0});
        answer now = http_get(s, "/live/a?offset=now");
        CHECK_INT(head.status, 200);
        char tail[40];
        snprintf(tail, sizeof tail, "%s", answer_field(&now, "Stream-Next-Offset"));
        CHECK(strcmp(answer_field(&head, "Stream-Next-Offset"), tail) == 0);
        CHECK(strcmp(answer_field(&head, "Content-Type"), "text/plain") == 0);
        answer_free(&head);
        answer_free(&now);
    }
}

TEST("JSON: an array's elements are messages, one level deep; the stream reads as one array")
{
    FOR_SERVERS(s, NULL) {
        const char *json = "application/json";
        CHECK_INT(http_status(s, "POST", "/live/j", json, " {\"a\": 1} "), 204);
        CHECK_INT(http_status(s, "POST", "/live/j", json, "[1, [2, 3],\n\"x\" , {}]"), 204);
        CHECK_INT(http_status(s, "POST", "/live/j", json, "[[]]"), 204);
        CHECK_GET(s, "/live/j", 200, "[{\"a\": 1},1,[2, 3],\"x\",{},[]]");
        CHECK_GET(s, "/live/j?offset=now", 200, "[]");
        CHECK_INT(http_status(s, "POST", "/live/v", "application/vnd.x+json", "[1,2]"), 204);
        CHECK_GET(s, "/live/v", 200, "[1,2]");
    }
}

TEST("bad JSON is refused with the byte, an empty array too; nothing is appended")
{
    FOR_SERVERS(s, NULL) {
        answer a = http_post(s, "/live/j", "application/json", "[1, 2,]");
        CHECK_INT(a.status, 400);
        CHECK(holds(&a, "byte 6"));
        CHECK(strcmp(answer_field(&a, "Content-Type"), "application/problem+json") == 0);
        answer_free(&a);
        CHECK_INT(http_status(s, "POST", "/live/j", "application/json", "[]"), 400);
        CHECK_INT(http_status(s, "POST", "/live/j", "application/json", "1 2"), 400);
        CHECK_INT(http_status(s, "GET", "/live/j", NULL, ""), 404);
    }
}

TEST("text must be UTF-8, a message has a byte, a type at most 255")
{
    FOR_SERVERS(s, NULL) {
        char type[400];
        CHECK_INT(http_status(s, "POST", "/live/t", "text/plain", "caf\xc3\xa9"), 204);
        CHECK_INT(http_status(s, "POST", "/live/t", "text/plain", "caf\xe9"), 400);
        CHECK_INT(http_status(s, "POST", "/live/b", "application/octet-stream", "\xff\xfe"), 204);
        CHECK_INT(http_status(s, "POST", "/live/t", "text/plain", ""), 400);
        snprintf(type, sizeof type, "text/%0300d", 1);
        CHECK_INT(http_status(s, "POST", "/live/long", type, "x"), 400);
        snprintf(type, sizeof type, "text/%0250d", 1);
        CHECK_INT(http_status(s, "POST", "/live/long", type, "x"), 204);
    }
}

TEST("413 for a message above the limit, also for an element of an array; 409 for another type")
{
    FOR_SERVERS(s, (&(dx_stream_options){.message_bytes_max = 65536})) {
        static char large[65536 + 10];
        memset(large, 'x', 65536);
        large[65536] = '\0';
        CHECK_INT(http_status(s, "POST", "/live/t", "text/plain", large), 204);
        large[65536] = 'x';
        CHECK_INT(http_status(s, "POST", "/live/t", "text/plain", large), 413);
        memcpy(large, "[1,\"", 4);
        memcpy(large + 65537 - 2, "\"]", 3); /* 65532 and two quotes: fits */
        CHECK_INT(http_status(s, "POST", "/live/j", "application/json", large), 204);
        CHECK_INT(http_status(s, "POST", "/live/t", "application/json", "1"), 409);
        CHECK_INT(http_status(s, "POST", "/live/t", "application/octet-stream", "x"), 409);
        CHECK_INT(http_status(s, "POST", "/live/j", "text/plain", "x"), 409);
    }
}

TEST("404 for a stream that nothing was published to; 400 for offsets that are none")
{
    FOR_SERVERS(s, NULL) {
        static const char *const bad[] = {"",
                                          "-2",
                                          "0",
                                          "x",
                                          "00000000000000000_000000000000000",
                                          "ffffffffffffffff_fffffffffffffffg"};
        char path[200];
        CHECK_INT(http_status(s, "GET", "/live/a", NULL, ""), 404);
        CHECK_INT(http_status(s, "HEAD", "/live/a", NULL, ""), 404);
        answer post = http_post(s, "/live/a", "text/plain", "x");
        for (size_t i = 0; i < DX_COUNT(bad); i++) {
            snprintf(path, sizeof path, "/live/a?offset=%s", bad[i]);
            CHECK_INT(http_status(s, "GET", path, NULL, ""), 400);
        }
        /* One that this stream has not given out yet, and the largest there is. */
        snprintf(path, sizeof path, "/live/a?offset=%.32s2",
                 answer_field(&post, "Stream-Next-Offset"));
        CHECK_INT(http_status(s, "GET", path, NULL, ""), 400);
        snprintf(path, sizeof path, "/live/a?offset=%.17sffffffffffffffff",
                 answer_field(&post, "Stream-Next-Offset"));
        CHECK_INT(http_status(s, "GET", path, NULL, ""), 400);
        answer_free(&post);
    }
}

TEST("410 for a cursor that was trimmed or of another life, with the cursors that work")
{
    FOR_SERVERS(s, (&(dx_stream_options){.kept_count_max = 3})) {
        char path[100], cursor[40];
        answer post = http_post(s, "/live/a", "text/plain", "1");
        snprintf(path, sizeof path, "/live/a?offset=%s", answer_field(&post, "Stream-Next-Offset"));
        answer_free(&post);
        for (char n[] = "2"; n[0] <= '4'; n[0]++)
            CHECK_INT(http_status(s, "POST", "/live/a", "text/plain", n), 204);
        CHECK_GET(s, path, 200, "234");
        CHECK_INT(http_status(s, "POST", "/live/a", "text/plain", "5"), 204);
        answer gone = http_get(s, path);
        CHECK_INT(gone.status, 410);
        const char *earliest = gone.body ? strstr(gone.body, "\"earliest\":\"") : NULL;
        CHECK(earliest && strstr(gone.body, "\"latest\":\""));
        if (earliest) {
            snprintf(cursor, sizeof cursor, "%.33s", earliest + 12);
            snprintf(path, sizeof path, "/live/a?offset=%s", cursor);
            CHECK_GET(s, path, 200, "345");
            snprintf(path, sizeof path, "/live/a?offset=%.33s",
                     strstr(gone.body, "\"latest\":\"") + 10);
            CHECK_GET(s, path, 200, "");
        }
        answer_free(&gone);
        CHECK_INT(
            http_status(s, "GET", "/live/a?offset=0000000000000001_0000000000000001", NULL, ""),
            410);
        CHECK_GET(s, "/live/a?offset=-1", 200, "345");
    }
}

TEST("names: any bytes that are UTF-8, 1024 at most, none that leaves the prefix")
{
    FOR_SERVERS(s, NULL) {
        char path[4000];
        CHECK_INT(http_status(s, "POST", "/live/", "text/plain", "x"), 404);
        CHECK_INT(http_status(s, "POST", "/live/a/b/c", "text/plain", "x"), 204);
        CHECK_INT(http_status(s, "POST", "/live/caf%C3%A9%20!", "text/plain", "x"), 204);
        CHECK_GET(s, "/live/caf%c3%a9%20%21", 200, "x");
        CHECK_INT(http_status(s, "POST", "/live/caf%e9", "text/plain", "x"), 400);
        CHECK_INT(http_status(s, "POST", "/live/a%00b", "text/plain", "x"), 400);
        CHECK_INT(http_status(s, "POST", "/live/../x", "text/plain", "x"), 400);
        CHECK_INT(http_status(s, "POST", "/live/%2e%2e/x", "text/plain", "x"), 400);
        CHECK_INT(http_status(s, "POST", "/live/x/../y", "text/plain", "x"), 400);
        CHECK_INT(http_status(s, "POST", "/live/..x/y..", "text/plain", "x"), 204);
        snprintf(path, sizeof path, "/live/%0*d", 1024 - 6, 1);
        CHECK_INT(http_status(s, "POST", path, "text/plain", "x"), 204);
        snprintf(path, sizeof path, "/live/%0*d", 1025 - 6, 1);
        CHECK_INT(http_status(s, "POST", path, "text/plain", "x"), 400);
        CHECK_INT(http_status(s, "GET", path, NULL, ""), 400);
    }
}

TEST("a large history comes in parts that the cursor joins")
{
    FOR_SERVERS(s, (&(dx_stream_options){.kept_count_max = 100000})) {
        static char body[50000];
        char path[100] = "/live/a";
        memset(body, 'x', sizeof body - 1);
        for (int i = 0; i < 50; i++)
            CHECK_INT(http_status(s, "POST", "/live/a", "text/plain", body), 204);
        size_t sum = 0;
        int parts = 0;
        for (bool is_last = false; !is_last && parts < 20; parts++) {
            answer a = http_get(s, path);
            CHECK_INT(a.status, 200);
            CHECK(a.size <= 1048576);
            sum += a.size;
            is_last = strcmp(answer_field(&a, "Stream-Up-To-Date"), "true") == 0;
            snprintf(path, sizeof path, "/live/a?offset=%s",
                     answer_field(&a, "Stream-Next-Offset"));
            answer_free(&a);
        }
        CHECK_INT(sum, 50 * (sizeof body - 1));
        CHECK_INT(parts, 3);
    }
}

TEST("clients that leave while another worker works for them disturb nobody")
{
    FOR_SERVERS(s, NULL) {
        static const char *const requests[] = {
            "POST /live/%d HTTP/1.1\r\nHost: t\r\nContent-Type: text/plain\r\nContent-Length: 1\r\n\r\nx",
            "GET /live/%d HTTP/1.1\r\nHost: t\r\n\r\n",
            ("GET /live/%d?offset=-1 HTTP/1.1\r\nHost: t\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")};
        for (int i = 0; i < 300; i++) {
            char request[400];
            int fd = peer_connect(dx_server_port(s));
            struct linger reset = {1, 0};
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
            int size = snprintf(request, sizeof request, requests[i % 3], i % 7);
#pragma GCC diagnostic pop
            peer_write(fd, request, (size_t)size);
            if (i % 2)
                setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
            close(fd);
        }
        CHECK_INT(http_status(s, "POST", "/live/good", "text/plain", "x"), 204);
        CHECK_GET(s, "/live/good", 200, "x");
    }
}
