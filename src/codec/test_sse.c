/* Tests of sse.h: writing events.
 * SPDX-License-Identifier: MIT */
#include "codec/sse.h"

#include "tests/tap.h"

static uint8_t memory[4096];
static dx_sse_writer w;

static void begin(void)
{
    memset(memory, 0xaa, sizeof memory);
    dx_sse_writer_init(&w, memory, sizeof memory);
}

#define CHECK_WRITTEN(want) CHECK_MEM(memory, w.size, want, strlen(want))

/* The data lines of one piece. */
static void write_one(const char *data)
{
    begin();
    dx_sse_write_data(&w, dx_bytes_of(data));
    dx_sse_write_end(&w);
}

TEST("§9.2.5 an event is its fields, its data, and an empty line")
{
    begin();
    dx_sse_write_field(&w, "event", DX_BYTES("control"));
    dx_sse_write_data(&w, DX_BYTES("{}"));
    dx_sse_write_end(&w);
    dx_sse_write_field(&w, "id", DX_BYTES("7_1"));
    dx_sse_write_data(&w, DX_BYTES("hello"));
    dx_sse_write_end(&w);
    dx_sse_write_field(&w, "retry", DX_BYTES("1500"));
    dx_sse_write_end(&w);
    CHECK_WRITTEN("event: control\ndata:{}\n\nid: 7_1\ndata:hello\n\nretry: 1500\n\n");
    CHECK(dx_sse_writer_is_whole(&w));
}

TEST("§9.2.6 each line of the data is a data line, whatever ends it")
{
    static const struct {
        const char *data, *want;
    } rows[] = {
        {"", "data:\n\n"},
        {"a\nb", "data:a\ndata:b\n\n"},
        {"a\rb", "data:a\ndata:b\n\n"},
        {"a\r\nb", "data:a\ndata:b\n\n"},
        {"a\n\rb", "data:a\ndata:\ndata:b\n\n"},
        {"a\r\rb", "data:a\ndata:\ndata:b\n\n"},
        {"\n", "data:\ndata:\n\n"},
        {"a\n", "data:a\ndata:\n\n"},
        {"\r\n\r\n", "data:\ndata:\ndata:\n\n"},
        {"x\n\nevent: control\ndata: {}\n\ny",
         "data:x\ndata:\ndata:event: control\ndata:data: {}\ndata:\ndata:y\n\n"},
    };
    for (size_t i = 0; i < DX_COUNT(rows); i++) {
        write_one(rows[i].data);
        CHECK_WRITTEN(rows[i].want);
    }
}

TEST("§9.2.6 a blank in front of a line gets a second one, which the reader takes")
{
    write_one(" a\n  b\nc ");
    CHECK_WRITTEN("data:  a\ndata:   b\ndata:c \n\n");
}

/* Both ways of giving the data: whole, and cut into pieces at two places. */
TEST("data in pieces is the same as data in one")
{
    const char *data = "[1,\r\n 2,\r\r 3]\r\n\n";
    uint8_t want[256];

    write_one(data);
    size_t want_size = w.size, size = strlen(data);
    memcpy(want, memory, want_size);
    for (size_t i = 0; i <= size; i++)
        for (size_t j = i; j <= size; j++) {
            begin();
            dx_sse_write_data(&w, dx_bytes_at(data, i));
            dx_sse_write_data(&w, dx_bytes_at(data + i, j - i));
            dx_sse_write_data(&w, dx_bytes_at(data + j, size - j));
            dx_sse_write_end(&w);
            CHECK_MEM(memory, w.size, want, want_size);
        }
}

TEST("an event does not depend on how the one before it ended")
{
    begin();
    for (int i = 0; i < 2; i++) {
        dx_sse_write_data(&w, DX_BYTES("\n a\r"));
        dx_sse_write_end(&w);
    }
    CHECK_WRITTEN("data:\ndata:  a\ndata:\n\ndata:\ndata:  a\ndata:\n\n");
}

TEST("over no memory the writer counts, and in too little it writes what fits")
{
    for (size_t room = 0; room <= 60; room++) {
        memset(memory, 0xaa, sizeof memory);
        dx_sse_writer_init(&w, room ? memory : NULL, room);
        dx_sse_write_field(&w, "id", DX_BYTES("1"));
        dx_sse_write_data(&w, DX_BYTES("one\ntwo"));
        dx_sse_write_end(&w);
        CHECK_INT(w.size, 25);
        CHECK_INT(dx_sse_writer_is_whole(&w), room >= 25);
        for (size_t i = dx_min_size(room, 25); i < sizeof memory; i++)
            CHECK(memory[i] == 0xaa);
        CHECK_MEM(memory, dx_min_size(room, 25), "id: 1\ndata:one\ndata:two\n\n",
                  dx_min_size(room, 25));
    }
}

TEST("RFC 4648 binary data goes as base64, on one line")
{
    begin();
    dx_sse_write_base64(&w, dx_bytes_at("\x01\x02\x03\r\n\xff", 6));
    dx_sse_write_end(&w);
    CHECK_WRITTEN("data:AQIDDQr/\n\n");
    begin();
    dx_sse_write_base64(&w, (dx_bytes){0});
    dx_sse_write_end(&w);
    CHECK_WRITTEN("data:\n\n");
    for (size_t room = 0; room < 16; room++) { /* not a byte beyond the room */
        memset(memory, 0xaa, sizeof memory);
        dx_sse_writer_init(&w, room ? memory : NULL, room);
        dx_sse_write_base64(&w, dx_bytes_at("\x01\x02\x03\r\n\xff", 6));
        dx_sse_write_end(&w);
        CHECK_INT(w.size, 15);
        CHECK(memory[room] == 0xaa || room >= 15);
    }
}

/* ---- what is written comes back ---------------------------------------------------------------- */

/* What a reader makes of `data`: its line ends become LF. */
static size_t normalise(dx_bytes data, uint8_t *to)
{
    size_t size = 0;

    for (size_t i = 0; i < data.size; i++) {
        if (data.at[i] == '\r' && i + 1 < data.size && data.at[i + 1] == '\n')
            i++;
        to[size++] = data.at[i] == '\r' ? '\n' : data.at[i];
    }
    return size;
}

TEST(
    "no data can end its event or begin another: all short texts of the bytes that matter come back")
{
    static const char alphabet[] = "\n\r :d";
    uint8_t data[6], want[6];
    dx_sse_reader r;

    dx_sse_reader_init(&r, 1000);
    for (unsigned n = 0; n < 5 * 5 * 5 * 5 * 5 * 5; n++) {
        unsigned rest = n;
        for (size_t i = 0; i < sizeof data; i++, rest /= 5)
            data[i] = (uint8_t)alphabet[rest % 5];
        begin();
        dx_sse_write_field(&w, "event", DX_BYTES("data"));
        dx_sse_write_data(&w, dx_bytes_at(data, sizeof data));
        dx_sse_write_end(&w);
        dx_bytes in = dx_bytes_at(memory, w.size);
        dx_sse_event event;
        CHECK_INT(dx_sse_read(&r, &in, &event), DX_SSE_EVENT);
        CHECK_BYTES(event.type, "data");
        CHECK_MEM(event.data.at, event.data.size, want,
                  normalise(dx_bytes_at(data, sizeof data), want));
        CHECK_INT(in.size, 0);
        CHECK_INT(dx_sse_read(&r, &in, &event), DX_SSE_MORE);
    }
    dx_sse_reader_deinit(&r);
}
