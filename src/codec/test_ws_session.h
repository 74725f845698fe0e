/* One WebSocket session run through the reader, cut as the test likes, and told as a line of text.
 * Is:     for test_ws_reader and the fuzz target: the caller's half of ws_reader.h's contract, with
 *         each promise of it checked.
 * SPDX-License-Identifier: MIT */
#ifndef DX_CODEC_TEST_WS_SESSION_H
#define DX_CODEC_TEST_WS_SESSION_H

#include "base/assert.h"
#include "codec/ws_close.h"
#include "codec/ws_reader.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct ws_session {
    dx_ws_role role;
    bool deflate;
    uint32_t message_bytes_max;
    uint32_t seed;      /* of the cuts */
    uint32_t chunk_max; /* largest chunk; 0: all at once */
} ws_session;

/* What is told: "T:Hello|" "B:..|" whole messages, "t" and "b" compressed ones; "P:x|" "O:x|" ping and
 * pong; "C1000:reason|"; "F9|" a fault. Payloads that are long or hold a
 * NUL as "#size,hash". */
typedef struct ws_told {
    char *text;
    size_t size, room;
    /* the open message */
    uint64_t message_hash, message_bytes;
    uint8_t message_start[24];
    bool is_open;
} ws_told;

static inline void ws_tell(ws_told *told, dx_bytes text)
{
    if (told->room - told->size < text.size + 1) {
        told->room = (told->room + text.size + 1) * 2;
        told->text = realloc(told->text, told->room);
        dx_assert(told->text != NULL);
    }
    dx_copy(told->text + told->size, text.at, text.size);
    told->size += text.size;
    told->text[told->size] = 0;
}

static inline void ws_add_payload(ws_told *told, dx_bytes piece)
{
    for (size_t i = 0; i < piece.size; i++) {
        if (told->message_bytes + i < sizeof told->message_start)
            told->message_start[told->message_bytes + i] = piece.at[i];
        told->message_hash = (told->message_hash ^ piece.at[i]) * 0x100000001b3u;
    }
    told->message_bytes += piece.size;
}

static inline void ws_tell_payload(ws_told *told, const char *label)
{
    char text[64];

    ws_tell(told, dx_bytes_of(label));
    if (told->message_bytes <= sizeof told->message_start &&
        memchr(told->message_start, 0, (size_t)told->message_bytes) == NULL) {
        ws_tell(told, dx_bytes_at(told->message_start, (size_t)told->message_bytes));
        ws_tell(told, DX_BYTES("|"));
    } else {
        snprintf(text, sizeof text, "#%llu,%llx|", (unsigned long long)told->message_bytes,
                 (unsigned long long)told->message_hash);
        ws_tell(told, dx_bytes_of(text));
    }
    told->message_bytes = told->message_hash = 0;
}

static inline void ws_tell_whole(ws_told *told, const char *label, dx_bytes payload)
{
    ws_told one = {.message_bytes = 0};

    ws_add_payload(&one, payload);
    ws_tell_payload(&one, label);
    ws_tell(told, dx_bytes_at(one.text, one.size));
    free(one.text);
}

static inline void ws_tell_data(ws_told *told, const dx_ws_event *event)
{
    static const char *const labels[] = {"B:", "T:", "b:", "t:"};

    dx_assert(event->opcode == DX_WS_TEXT || event->opcode == DX_WS_BINARY);
    dx_assert(event->first == !told->is_open);
    dx_assert(event->payload.size > 0 || event->last); /* an empty piece must say something */
    dx_assert(!event->last || event->frame_left == 0);
    ws_add_payload(told, dx_span_bytes(event->payload));
    told->is_open = !event->last;
    if (event->last)
        ws_tell_payload(told, labels[(event->opcode == DX_WS_TEXT) + 2 * event->compressed]);
}

static inline void ws_tell_event(ws_told *told, const dx_ws_event *event)
{
    char text[32];

    switch (event->kind) {
    case DX_WS_EVENT_MORE: return;
    case DX_WS_EVENT_DATA: ws_tell_data(told, event); return;
    case DX_WS_EVENT_PING: ws_tell_whole(told, "P:", dx_span_bytes(event->payload)); return;
    case DX_WS_EVENT_PONG: ws_tell_whole(told, "O:", dx_span_bytes(event->payload)); return;
    case DX_WS_EVENT_CLOSE:
        snprintf(text, sizeof text, "C%u:", event->close_code);
        ws_tell_whole(told, text, dx_span_bytes(event->payload));
        return;
    case DX_WS_EVENT_FAULT:
        snprintf(text, sizeof text, "F%u|", (unsigned)event->fault);
        ws_tell(told, dx_bytes_of(text));
        return;
    }
    dx_unreachable("event outside its enum");
}

/* The caller's loop over what is there: `block` holds the `size` bytes before `end` of the wire.
 * Gives how many are left. */
static inline size_t ws_read_block(dx_ws_reader *r, const ws_session *s, uint8_t *block,
                                   size_t size, ws_told *told)
{
    dx_span in = {block, size};
    dx_ws_event event;

    for (;;) {
        size_t before = in.size;
        uint8_t *from = in.at;
        dx_ws_event_kind kind = dx_ws_read(r, &in, s->message_bytes_max, &event);
        dx_assert(kind == event.kind);
        dx_assert(in.size <= before && in.at + in.size == block + size);
        ws_tell_event(told, &event);
        if (kind == DX_WS_EVENT_MORE)
            return in.size;
        dx_assert(kind == DX_WS_EVENT_FAULT || in.size < before); /* it goes on */
        if (event.head_size > 0)
            dx_assert(event.payload.at == from + event.head_size ||
                      event.payload.at > from + event.head_size); /* empty fragments before it */
        if (event.payload.size > 0)
            dx_assert(event.payload.at >= from && event.payload.at + event.payload.size <= in.at);
    }
}

/* Runs `wire` through a new reader in chunks; gives the text, for the caller to free. */
static inline char *ws_session_run(const ws_session *s, dx_bytes wire)
{
    uint32_t random = s->seed * 2654435761u + 1;
    ws_told told = {.text = NULL};
    size_t end = 0, kept = 0;
    dx_ws_reader r;

    dx_ws_reader_init(&r, s->role, s->deflate);
    ws_tell(&told, DX_BYTES(""));
    while (end < wire.size) {
        random ^= random << 13, random ^= random >> 17, random ^= random << 5;
        size_t chunk = s->chunk_max ? 1 + random % s->chunk_max : wire.size;
        chunk = dx_min_size(chunk, wire.size - end);
        end += chunk;
        /* a block of its own, so that a step outside is seen */
        uint8_t *block = malloc(kept + chunk);
        dx_assert(block != NULL);
        memcpy(block, wire.at + end - chunk - kept, kept + chunk);
        size_t size = kept + chunk;
        kept = ws_read_block(&r, s, block, size, &told);
        dx_assert(kept <= DX_WS_READER_KEEP_MAX);
        dx_assert(memcmp(block + size - kept, wire.at + end - kept, kept) == 0); /* unchanged */
        free(block);
    }
    return told.text;
}

#endif
