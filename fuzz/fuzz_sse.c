/* Server-sent events: the reader, cut anywhere, tells what a slow one tells that has all of it at once; and
 * what was written of any data comes back.
 * Input: a byte that seeds the cuts, then the stream.
 * SPDX-License-Identifier: MIT */
#include "codec/sse.h"
#include "fuzz/fuzz.h"

enum { DATA_MAX = 512, INPUT_MAX = 4096 };

/* What was read, as text: "type|data|id" and a NUL for each event, then how it ended. */
typedef struct story {
    size_t size;
    uint8_t text[INPUT_MAX * 700];
} story;

static void tell(story *s, dx_bytes part, uint8_t end)
{
    FUZZ_CHECK(part.size + 1 <= sizeof s->text - s->size);
    dx_copy(s->text + s->size, part.at, part.size);
    s->size += part.size;
    s->text[s->size++] = end;
}

static void read_cut(dx_bytes all, unsigned seed, bool is_cut, story *s)
{
    dx_sse_reader r;
    dx_sse_status status = DX_SSE_MORE;
    dx_sse_event event;

    s->size = 0;
    dx_sse_reader_init(&r, DATA_MAX);
    while (all.size > 0 && status == DX_SSE_MORE) {
        size_t size = is_cut ? dx_min_size(all.size, fuzz_step(&seed)) : all.size;
        dx_bytes piece = fuzz_copy((dx_bytes){all.at, size}), in = piece;
        while ((status = dx_sse_read(&r, &in, &event)) == DX_SSE_EVENT) {
            tell(s, event.type, '|');
            tell(s, event.data, '|');
            tell(s, dx_sse_last_id(&r), 0);
        }
        FUZZ_CHECK(status != DX_SSE_MORE || in.size == 0);
        fuzz_free(piece);
        dx_bytes_skip(&all, size);
    }
    tell(s, (dx_bytes){0}, status == DX_SSE_MORE ? (uint8_t)(r.has_retry ? r.retry_ms : 255) : 254);
    dx_sse_reader_deinit(&r);
}

/* ---- the slow one: line by line, as the standard has it ------------------------------------------ */

typedef struct slow {
    uint8_t data[DATA_MAX];
    size_t data_size;
    dx_bytes type, next_id, id;
    uint8_t retry;
} slow;

static bool line_take(dx_bytes *in, dx_bytes *line)
{
    for (size_t i = 0; i < in->size; i++)
        if (in->at[i] == '\n' || in->at[i] == '\r') {
            *line = (dx_bytes){in->at, i};
            bool is_pair = in->at[i] == '\r' && i + 1 < in->size && in->at[i + 1] == '\n';
            dx_bytes_skip(in, i + 1 + is_pair);
            return true;
        }
    *line = *in;
    return false;
}

/* False: above a limit. A line that has not ended counts only for that. */
static bool on_line(slow *w, dx_bytes line, bool is_ended)
{
    size_t colon = dx_bytes_find(line, ':');
    dx_bytes name = {line.at, colon}, value = {0};

    if (colon < line.size) {
        value = (dx_bytes){line.at + colon + 1, line.size - colon - 1};
        if (value.size > 0 && value.at[0] == ' ')
            dx_bytes_skip(&value, 1);
    }
    if (dx_bytes_equal(name, DX_BYTES("data"))) {
        if (colon == line.size && !is_ended)
            return true;
        if (value.size + is_ended > sizeof w->data - w->data_size)
            return false;
        if (is_ended) {
            dx_copy(w->data + w->data_size, value.at, value.size);
            w->data_size += value.size;
            w->data[w->data_size++] = '\n';
        }
    } else if (dx_bytes_equal(name, DX_BYTES("event"))) {
        if (value.size > DX_SSE_TYPE_BYTES_MAX)
            return false;
        w->type = is_ended ? value : w->type;
    } else if (dx_bytes_equal(name, DX_BYTES("id"))) {
        if (value.size > DX_SSE_ID_BYTES_MAX)
            return false;
        if (is_ended && dx_bytes_find(value, 0) == value.size)
            w->next_id = value;
    } else if (dx_bytes_equal(name, DX_BYTES("retry")) && is_ended && value.size > 0) {
        uint64_t number = 0;
        for (size_t i = 0; i < value.size; i++) {
            if (value.at[i] < '0' || value.at[i] > '9')
                return true;
            number =
                number > UINT64_MAX / 10 - 1 ? UINT64_MAX / 10 : number * 10 + (value.at[i] - '0');
        }
        w->retry = (uint8_t)number;
    }
    return true;
}

static void read_slowly(dx_bytes in, story *s)
{
    slow w = {.retry = 255};
    dx_bytes line;
    bool is_ended;

    s->size = 0;
    if (dx_bytes_starts(in, DX_BYTES("\xef\xbb\xbf")))
        dx_bytes_skip(&in, 3);
    do {
        is_ended = line_take(&in, &line);
        if (is_ended && line.size == 0) {
            w.id = w.next_id;
            if (w.data_size > 0) {
                tell(s, w.type.size > 0 ? w.type : DX_BYTES("message"), '|');
                tell(s, dx_bytes_at(w.data, w.data_size - 1), '|');
                tell(s, w.id, 0);
            }
            w.data_size = 0;
            w.type = (dx_bytes){0};
        } else if (!on_line(&w, line, is_ended)) {
            tell(s, (dx_bytes){0}, 254);
            return;
        }
    } while (is_ended);
    tell(s, (dx_bytes){0}, w.retry);
}

/* ---- writing ------------------------------------------------------------------------------------ */

static void write_and_read(dx_bytes data)
{
    static uint8_t memory[INPUT_MAX * 7 + 16], want[INPUT_MAX];
    dx_sse_writer count, w;
    size_t half = data.size / 2, size = 0;

    dx_sse_writer_init(&count, NULL, 0);
    dx_sse_write_data(&count, data);
    dx_sse_write_end(&count);
    dx_sse_writer_init(&w, memory, sizeof memory);
    dx_sse_write_data(&w, dx_bytes_at(data.at, half));
    dx_sse_write_data(&w, dx_bytes_at(data.at + half, data.size - half));
    dx_sse_write_end(&w);
    FUZZ_CHECK(dx_sse_writer_is_whole(&w) && count.size == w.size);

    for (size_t i = 0; i < data.size; i++) {
        if (data.at[i] == '\r' && i + 1 < data.size && data.at[i + 1] == '\n')
            i++;
        want[size++] = data.at[i] == '\r' ? '\n' : data.at[i];
    }
    dx_sse_reader r;
    dx_sse_event event;
    dx_bytes in = dx_bytes_at(memory, w.size);
    dx_sse_reader_init(&r, sizeof want + 1);
    FUZZ_CHECK(dx_sse_read(&r, &in, &event) == DX_SSE_EVENT && in.size == 0);
    FUZZ_CHECK(dx_bytes_equal(event.data, dx_bytes_at(want, size)));
    dx_sse_reader_deinit(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static story whole, cut, slowly;
    dx_bytes all = {data, size};
    uint8_t seed = 0;

    if (!dx_bytes_u8(&all, &seed) || all.size > INPUT_MAX)
        return 0;
    read_cut(all, seed, false, &whole);
    read_cut(all, seed, true, &cut);
    read_slowly(all, &slowly);
    FUZZ_CHECK(
        dx_bytes_equal(dx_bytes_at(whole.text, whole.size), dx_bytes_at(cut.text, cut.size)));
    FUZZ_CHECK(
        dx_bytes_equal(dx_bytes_at(whole.text, whole.size), dx_bytes_at(slowly.text, slowly.size)));
    write_and_read(all);
    return 0;
}
