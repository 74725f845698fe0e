/* Tests of the WebSocket door: cursors that are not retained any more, and clients that are too slow.
 * SPDX-License-Identifier: MIT */
#include "serve/test_v1.h"

TEST("a cursor that is not retained any more: the gap is told in-band, and it goes on")
{
    FOR_SERVERS(s, (&(dx_stream_options){.kept_count_max = 2})) {
        int writer = v1_open(s, "/live/t?read=0");
        ws_send_text(writer, "0\n0");
        dx_offset first = EXPECT_ACK(writer, "0");
        for (char n[] = "1\n1"; n[0] <= '5'; n[0]++, n[2]++) {
            char id[] = {n[0], '\0'};
            ws_send_text(writer, n);
            EXPECT_ACK(writer, id);
        }
        int fd = v1_open(s, path_at("/live/t", first));
        dx_v1_server_frame f;
        if (EXPECT(fd, GAP, &f)) {
            CHECK_INT(dx_offset_compare(f.gap.requested, first), 0);
            CHECK(f.gap.is_lost_known);
            CHECK_INT(f.gap.lost, 3);
            CHECK_INT(f.gap.earliest.sequence, 4);
        }
        EXPECT_TEXT(fd, "4");
        EXPECT_TEXT(fd, "5");
        EXPECT_CAUGHT_UP(fd);
        unsigned status;
        CHECK_INT(ws_open(s, path_at("/live/t", first), &status), -1);
        CHECK_INT(status, 410);
        close(fd), close(writer);
    }
}

TEST("a cursor of another life of the stream: a gap of unknown length")
{
    FOR_SERVERS(s, NULL) {
        post(s, "/live/t", "1");
        int fd = v1_open(s, path_at("/live/t", (dx_offset){1, 17}));
        dx_v1_server_frame f;
        if (EXPECT(fd, GAP, &f)) {
            CHECK_INT(f.gap.requested.sequence, 17);
            CHECK(!f.gap.is_lost_known);
            CHECK_INT(f.gap.earliest.sequence, 0);
        }
        EXPECT_TEXT(fd, "1");
        EXPECT_CAUGHT_UP(fd);
        close(fd);
    }
}

TEST("a cursor that nobody gave out is refused with 400")
{
    FOR_SERVERS(s, NULL) {
        int fd = v1_open(s, "/live/t");
        unsigned status;
        dx_offset tail = EXPECT_CAUGHT_UP(fd);
        tail.sequence += 5;
        CHECK_INT(v1_open_on(peer_connect(dx_server_port(s)), path_at("/live/t", tail), &status),
                  -1);
        CHECK_INT(status, 400);
        close(fd);
    }
}

enum { BIG = 1000, BIG_COUNT = 8000 /* more than the kernel holds for one who does not read */ };

/* Publishes messages of BIG bytes that begin with their number. */
static void publish_big(dx_server *s)
{
    char body[BIG + 3] = "-\n";
    int fd = v1_open(s, "/live/t?read=0");

    memset(body + 2, '.', BIG);
    for (int i = 0; i < BIG_COUNT; i++) {
        if (i == BIG_COUNT - 1)
            body[0] = 'e';
        snprintf(body + 2, 9, "%08u", (unsigned)i % 100000000u);
        body[10] = '.';
        ws_send_text(fd, body);
    }
    EXPECT_ACK(fd, "e");
    close(fd);
}

static int number_of(const dx_v1_server_frame *f)
{
    char text[9] = "";

    dx_copy(text, f->data.at, dx_min_size(f->data.size, 8));
    return atoi(text);
}

/* Reads all up to the last message: numbers go up by one, but for gaps that say how many are left out. */
static unsigned read_with_gaps(int fd)
{
    unsigned gaps = 0;
    int next = 0;

    while (next < BIG_COUNT) {
        dx_v1_server_frame f = v1_next(fd);
        if (f.kind == DX_V1_GAP) {
            gaps++;
            next += (int)f.gap.lost;
            CHECK(f.gap.is_lost_known && f.gap.lost > 0);
        } else if (f.kind == DX_V1_CAUGHT_UP) {
            TAP_FAIL("caught_up twice");
            return gaps;
        } else if (f.kind != DX_V1_MESSAGE || f.data.size != BIG || number_of(&f) != next++) {
            TAP_FAIL("before %d: kind %d, number %d", next, (int)f.kind, number_of(&f));
            return gaps;
        }
    }
    return gaps;
}

TEST("one that stalls for longer than is retained is told of the gap, and goes on")
{
    FOR_SERVERS(s, (&(dx_stream_options){.kept_count_max = 50})) {
        unsigned status;
        int fd = v1_open_on(peer_connect_unix(), "/live/t", &status);
        EXPECT_CAUGHT_UP(fd);
        publish_big(s);
        CHECK(read_with_gaps(fd) > 0);
        post(s, "/live/t", "live again");
        EXPECT_TEXT(fd, "live again");
        close(fd);
    }
}

TEST("one that stalls and may get all: all, and no gap")
{
    FOR_SERVERS(s, (&(dx_stream_options){.kept_count_max = 100000})) {
        unsigned status;
        int fd = v1_open_on(peer_connect_unix(), "/live/t?on_slow=catch_up", &status);
        EXPECT_CAUGHT_UP(fd);
        publish_big(s);
        CHECK_INT(read_with_gaps(fd), 0);
        close(fd);
    }
}

TEST("on_slow=latest: what is left out is told, and the newest comes")
{
    FOR_SERVERS(s, (&(dx_stream_options){.kept_count_max = 100000})) {
        unsigned status;
        int fd = v1_open_on(peer_connect_unix(), "/live/t?on_slow=latest", &status);
        int raw = ws_open_on(peer_connect_unix(), "/live/t?on_slow=latest", &status);
        EXPECT_CAUGHT_UP(fd);
        publish_big(s);
        CHECK(read_with_gaps(fd) > 0);
        int last = -1, left_out = 0;
        while (last < BIG_COUNT - 1) { /* raw cannot be told */
            const frame *f = ws_next(raw);
            int number = f->opcode == 1 ? atoi((const char *)f->payload) : -1;
            if (number <= last)
                break;
            left_out += number - last - 1;
            last = number;
        }
        CHECK_INT(last, BIG_COUNT - 1);
        CHECK(left_out > 0);
        close(fd), close(raw);
    }
}

TEST("on_slow=disconnect: the Close says 4408")
{
    FOR_SERVERS(s, (&(dx_stream_options){.kept_count_max = 100000})) {
        unsigned status;
        int fd = v1_open_on(peer_connect_unix(), "/live/t?on_slow=disconnect", &status);
        int raw = ws_open_on(peer_connect_unix(), "/live/t?on_slow=disconnect", &status), next = 0;
        EXPECT_CAUGHT_UP(fd);
        publish_big(s);
        const frame *f;
        while ((f = ws_next(raw))->opcode == 1 && f->size == BIG)
            CHECK_INT(atoi((const char *)f->payload), next++);
        CHECK_INT(f->opcode, 8);
        CHECK_INT(f->payload[0] << 8 | f->payload[1], 4408);
        for (next = 0; (f = ws_next(fd))->opcode == 1; next++)
            CHECK_INT(f->size, BIG + DX_V1_LINE_SIZE);
        CHECK_INT(f->opcode, 8);
        CHECK_INT(f->payload[0] << 8 | f->payload[1], 4408);
        close(fd), close(raw);
    }
}
