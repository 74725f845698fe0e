/* Tests of GET of a stream's presence: the count, pages of members, and what is refused.
 * SPDX-License-Identifier: MIT */
#include "serve/test_door.h"

#include <time.h>
#include <unistd.h>

/* The answer once it holds `part`, or the last one; to be freed. */
static answer presence_with(dx_server *s, const char *path, const char *part)
{
    answer a = http_get(s, path);

    for (int i = 0; i < 100 && !holds(&a, part); i++) {
        answer_free(&a);
        nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
        a = http_get(s, path);
    }
    return a;
}

#define CHECK_PRESENCE(s, path, want)                                                              \
    do {                                                                                           \
        answer got = presence_with(s, path, want);                                                 \
        CHECK_INT(got.status, 200);                                                                \
        CHECK_MEM(got.body, got.size, want, strlen(want));                                         \
        answer_free(&got);                                                                         \
    } while (0)

TEST("presence: who is there, who only reads, and who has left")
{
    FOR_SERVERS(s, NULL) {
        CHECK_INT(status_of(s, "POST", "/live/a", TEXT, "x"), 204);
        CHECK_PRESENCE(s, "/live/a?presence", "{\"count\":0,\"subscribers\":0,\"members\":[]}\n");
        int ada = ws_must_open(s, "/live/a?member=ada&presence=%7B%22name%22%3A%22Ada%22%7D");
        int reader = ws_must_open(s, "/live/a");
        CHECK_PRESENCE(
            s, "/live/a?presence",
            "{\"count\":1,\"subscribers\":2,\"members\":[{\"id\":\"ada\",\"data\":{\"name\":\"Ada\"}}]}\n");
        close(ada);
        CHECK_PRESENCE(s, "/live/a?presence", "{\"count\":0,\"subscribers\":1,\"members\":[]}\n");
        answer a = http_get(s, "/live/a?presence");
        CHECK_FIELD(&a, "Content-Type", "application/json");
        CHECK_FIELD(&a, "Cache-Control", "no-store");
        CHECK_FIELD(&a, "X-Content-Type-Options", "nosniff");
        answer_free(&a);
        close(reader);
    }
}

TEST("presence comes in pages, in the order in which members came")
{
    FOR_SERVERS(s, NULL) {
        int fds[5];
        char next[32], path[100];
        CHECK_INT(status_of(s, "POST", "/live/a", TEXT, "x"), 204);
        for (int i = 0; i < 5; i++) {
            snprintf(path, sizeof path, "/live/a?presence&member=m%d", i);
            fds[i] = ws_must_open(s, path);
            snprintf(next, sizeof next, "\"count\":%d,", i + 1);
            answer a = presence_with(s, "/live/a?presence&limit=0", next);
            CHECK(holds(&a, next));
            answer_free(&a);
        }
        answer page = presence_with(s, "/live/a?presence&limit=2", "\"subscribers\":5");
        CHECK(holds(&page, "[{\"id\":\"m0\"},{\"id\":\"m1\"}]"));
        const char *at = page.body ? strstr(page.body, "\"next\":\"") : NULL;
        CHECK(at != NULL);
        snprintf(path, sizeof path, "/live/a?presence&limit=3&after=%.*s",
                 at ? (int)strcspn(at + 8, "\"") : 0, at ? at + 8 : "");
        answer_free(&page);
        page = http_get(s, path);
        CHECK(holds(&page, "[{\"id\":\"m2\"},{\"id\":\"m3\"},{\"id\":\"m4\"}]"));
        CHECK(!holds(&page, "\"next\""));
        answer_free(&page);
        for (int i = 0; i < 5; i++)
            close(fds[i]);
    }
}

TEST("presence of no stream: 404; numbers that are none: 400")
{
    FOR_SERVERS(s, NULL) {
        static const char *const bad[] = {
            "limit=1001", "limit=-1",        "limit=",   "limit=x", "after=x",
            "after=-1",   "limit=1&limit=1", "after=01", "presence"};
        CHECK_INT(status_of(s, "GET", "/live/a?presence", "", ""), 404);
        CHECK_INT(status_of(s, "GET", "/s/a?presence", "", ""), 404);
        CHECK_INT(status_of(s, "PUT", "/s/a", TEXT, ""), 201);
        CHECK_INT(status_of(s, "GET", "/s/a?presence=1&limit=1000", "", ""), 200);
        for (size_t i = 0; i < DX_COUNT(bad); i++)
            if (status_of(s, "GET", text_of("/s/a?presence&%s", bad[i]).at, "", "") != 400)
                TAP_FAIL("taken: %s", bad[i]);
        CHECK_INT(status_of(s, "HEAD", "/s/a?presence", "", ""), 200);
    }
}
