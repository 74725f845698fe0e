/* The SSE door's events.
 * SPDX-License-Identifier: MIT */
#include "serve/door_sse.h"

#include "base/assert.h"
#include "base/clock.h"
#include "codec/http_chunk.h"
#include "codec/stream_rules.h"

#include <stdio.h>

enum { CONTROL_MAX = 256 };

/* An ahead that does not fit is of a cursor that nobody gave out. */
#define AHEAD_MAX ((UINT32_C(1) << (32 - DX_SSE_AHEAD_SHIFT)) - 1)

/* Above by one, not by chance: all who come back with the same cursor share a feed. */
uint32_t dx_sse_ahead(uint64_t cursor)
{
    uint64_t now = dx_stream_cursor_at(dx_clock_wall_ms());
    uint64_t ahead = cursor >= now ? cursor - now + 1 : 0;

    return (uint32_t)(ahead <= AHEAD_MAX ? ahead : 0) << DX_SSE_AHEAD_SHIFT;
}

uint64_t dx_sse_cursor(uint32_t variant)
{
    return dx_stream_cursor_at(dx_clock_wall_ms()) + (variant >> DX_SSE_AHEAD_SHIFT);
}

static void write_id(dx_sse_writer *w, dx_offset offset)
{
    uint8_t text[DX_OFFSET_SIZE];

    dx_offset_write(offset, text);
    dx_sse_write_field(w, "id", dx_bytes_at(text, sizeof text));
}

static void write_text(dx_sse_writer *w, const char *type, const char *json)
{
    dx_sse_write_field(w, "event", dx_bytes_of(type));
    dx_sse_write_data(w, dx_bytes_of(json));
    dx_sse_write_end(w);
}

/* ---- Durable Streams --------------------------------------------------------------------------- */

static void write_control(dx_sse_writer *w, const dx_sse_control *c)
{
    char json[CONTROL_MAX], cursor[48] = "";
    uint8_t next[DX_OFFSET_SIZE];

    dx_offset_write(c->next, next);
    if (!c->is_closed)
        snprintf(cursor, sizeof cursor, ",\"streamCursor\":\"%llu\"",
                 (unsigned long long)c->cursor);
    int size = snprintf(json, sizeof json, "{\"streamNextOffset\":\"%.*s\"%s%s%s}", DX_OFFSET_SIZE,
                        (const char *)next, cursor, c->is_up_to_date ? ",\"upToDate\":true" : "",
                        c->is_closed ? ",\"streamClosed\":true" : "");
    dx_assert(size > 0 && size < CONTROL_MAX);
    write_text(w, "control", json);
}

void dx_sse_write_control(dx_sse_writer *w, const dx_sse_control *control)
{
    write_id(w, control->next); /* so that an EventSource goes on from here, too */
    write_control(w, control);
}

static dx_offset offset_of(const dx_message *message)
{
    return (dx_offset){message->epoch, message->sequence};
}

static void write_payload(dx_sse_writer *w, const dx_message *message)
{
    if (message->kind == DX_STREAM_BINARY)
        dx_sse_write_base64(w, dx_message_payload(message));
    else
        dx_sse_write_data(w, dx_message_payload(message));
}

/* One data event and its control event: the messages from `first` to before `end`. */
static void write_pair(dx_sse_writer *w, const dx_sse_page *page, size_t first, size_t end)
{
    dx_message *const *m = page->messages;
    bool is_json = m[first]->kind == DX_STREAM_JSON;
    dx_offset next = offset_of(m[end - 1]);

    write_id(w, next);
    dx_sse_write_field(w, "event", DX_BYTES("data"));
    if (is_json)
        dx_sse_write_data(w, DX_BYTES("["));
    for (size_t i = first; i < end; i++) {
        if (i > first)
            dx_sse_write_data(w, DX_BYTES(","));
        write_payload(w, m[i]);
    }
    if (is_json)
        dx_sse_write_data(w, DX_BYTES("]"));
    dx_sse_write_end(w);
    write_control(w, &(dx_sse_control){.next = next,
                                       .cursor = page->cursor,
                                       .is_up_to_date = page->is_up_to_date && end == page->count});
}

static void write_pairs(dx_sse_writer *w, const dx_sse_page *page)
{
    bool is_json = page->messages[0]->kind == DX_STREAM_JSON;

    if (is_json)
        write_pair(w, page, 0, page->count);
    for (size_t i = 0; i < page->count && !is_json; i++)
        write_pair(w, page, i, i + 1);
}

/* ---- EventSource ------------------------------------------------------------------------------- */

void dx_sse_write_gap(dx_sse_writer *w, const dx_gap *gap)
{
    char json[CONTROL_MAX], lost[24] = "null";
    uint8_t requested[DX_OFFSET_SIZE], earliest[DX_OFFSET_SIZE];

    dx_offset_write(gap->requested, requested);
    dx_offset_write(gap->earliest, earliest);
    if (gap->lost > 0)
        snprintf(lost, sizeof lost, "%llu", (unsigned long long)gap->lost);
    snprintf(json, sizeof json, "{\"requested\":\"%.*s\",\"earliest\":\"%.*s\",\"lost\":%s}",
             DX_OFFSET_SIZE, (const char *)requested, DX_OFFSET_SIZE, (const char *)earliest, lost);
    write_id(w, gap->earliest);
    write_text(w, "gap", json);
}

void dx_sse_write_ready(dx_sse_writer *w, dx_offset offset)
{
    char json[CONTROL_MAX];
    uint8_t text[DX_OFFSET_SIZE];

    dx_offset_write(offset, text);
    snprintf(json, sizeof json, "{\"offset\":\"%.*s\"}", DX_OFFSET_SIZE, (const char *)text);
    write_id(w, offset);
    write_text(w, "ready", json);
}

void dx_sse_write_closed(dx_sse_writer *w, dx_offset offset)
{
    write_id(w, offset);
    write_text(w, "closed", "{\"closed\":true}");
}

void dx_sse_write_page(dx_sse_writer *w, const dx_sse_page *page)
{
    dx_assert(page->count > 0);
    if (!(page->variant & DX_SSE_PLAIN)) {
        write_pairs(w, page);
        return;
    }
    for (size_t i = 0; i < page->count; i++) {
        write_id(w, offset_of(page->messages[i]));
        write_payload(w, page->messages[i]);
        dx_sse_write_end(w);
    }
}

/* ---- the feed ---------------------------------------------------------------------------------- */

static dx_sse_page page_of(const dx_feed *feed, dx_message *const *message)
{
    return (dx_sse_page){.messages = message,
                         .count = 1,
                         .variant = feed->variant,
                         .cursor = dx_sse_cursor(feed->variant),
                         .is_up_to_date = (*message)->is_last};
}

static size_t page_size(const dx_sse_page *page)
{
    dx_sse_writer w;

    dx_sse_writer_init(&w, NULL, 0);
    dx_sse_write_page(&w, page);
    return w.size;
}

size_t dx_sse_bound(const dx_feed *feed, const dx_message *message)
{
    dx_message *one = (dx_message *)(uintptr_t)message; /* only looked at */
    dx_sse_page page = page_of(feed, &one);

    page.cursor = UINT64_MAX; /* whatever it is by the time of the write */
    return DX_HTTP_CHUNK_HEAD_MAX + page_size(&page) + 2;
}

size_t dx_sse_write(const dx_feed *feed, const dx_message *message, uint8_t *to)
{
    dx_message *one = (dx_message *)(uintptr_t)message;
    dx_sse_page page = page_of(feed, &one);
    bool is_chunked = feed->variant & DX_SSE_CHUNKED;
    size_t room = page_size(&page), size = is_chunked ? dx_http_chunk_head_write(room, to) : 0;
    dx_sse_writer w;

    dx_sse_writer_init(&w, to + size, room);
    dx_sse_write_page(&w, &page);
    dx_assert(w.size == room);
    size += room;
    if (is_chunked) {
        memcpy(to + size, "\r\n", 2);
        size += 2;
    }
    return size;
}
