/* The bare server's end of an HTTP/2 connection.
 * SPDX-License-Identifier: MIT */
#include "http/test_client_far.h"

#include "base/assert.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FRAME_HEAD_BYTES = 9, PREFACE_BYTES = 24 };

void far_init(far *f, scene *s)
{
    memset(f, 0, sizeof *f);
    f->s = s;
    dx_assert(nghttp2_hd_inflate_new(&f->inflater) == 0);
}

void far_deinit(far *f)
{
    nghttp2_hd_inflate_del(f->inflater);
    dx_buffer_clear(&f->out);
    for (size_t i = 0; i < FAR_STREAMS_MAX; i++)
        dx_buffer_clear(&f->streams[i].body);
}

void far_hang_up(far *f)
{
    scene *s = f->s;

    if (s->peer >= 0)
        close(s->peer);
    s->peer = -1;
    dx_buffer_clear(&s->asked);
    far_deinit(f);
    far_init(f, s);
}

/* ---- out ------------------------------------------------------------------------------------------ */

static void put_32(uint8_t *to, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        to[i] = (uint8_t)(value >> (24 - 8 * i));
}

void far_frame(far *f, uint8_t type, uint8_t flags, int32_t id, dx_bytes payload)
{
    uint8_t head[FRAME_HEAD_BYTES];

    put_32(head, (uint32_t)payload.size << 8);
    head[3] = type;
    head[4] = flags;
    put_32(head + 5, (uint32_t)id);
    dx_assert(dx_buffer_append(&f->out, dx_bytes_at(head, sizeof head)));
    dx_assert(dx_buffer_append(&f->out, payload));
    if (f->is_held)
        return;
    peer_say(f->s, dx_buffer_view(&f->out));
    dx_buffer_clear(&f->out);
}

/* RFC 7541 §5.1, a prefix of 7 bits. */
static size_t put_size(uint8_t *to, size_t size)
{
    size_t used = 1;

    if (size < 127) {
        to[0] = (uint8_t)size;
        return 1;
    }
    to[0] = 127;
    for (size -= 127; size >= 128; size >>= 7)
        to[used++] = (uint8_t)(size | 128);
    to[used++] = (uint8_t)size;
    return used;
}

static size_t put_text(uint8_t *to, const char *text)
{
    size_t size = strlen(text), used = put_size(to, size);

    memcpy(to + used, text, size);
    return used + size;
}

static size_t put_fields(uint8_t *to, size_t max, va_list args)
{
    size_t size = 0;
    const char *name;

    while ((name = va_arg(args, const char *)) != NULL) {
        const char *value = va_arg(args, const char *);
        dx_assert(size + strlen(name) + strlen(value) + 16 <= max);
        to[size++] = 0; /* literal, not indexed */
        size += put_text(to + size, name);
        size += put_text(to + size, value);
    }
    return size;
}

size_t far_block(uint8_t *to, size_t max, ...)
{
    va_list args;

    va_start(args, max);
    size_t size = put_fields(to, max, args);
    va_end(args);
    return size;
}

void far_head(far *f, int32_t id, int flags, ...)
{
    uint8_t block[16384];
    va_list args;

    va_start(args, flags);
    size_t size = put_fields(block, sizeof block, args);
    va_end(args);
    far_frame(f, NGHTTP2_HEADERS, (uint8_t)(flags | EH), id, dx_bytes_at(block, size));
}

void far_ok(far *f, int32_t id, bool is_end)
{
    far_head(f, id, is_end ? ES : 0, ":status", "200", NULL);
}

void far_data(far *f, int32_t id, uint8_t flags, const char *text)
{
    far_frame(f, NGHTTP2_DATA, flags, id, dx_bytes_of(text));
}

void far_settings(far *f)
{
    far_frame(f, NGHTTP2_SETTINGS, 0, 0, (dx_bytes){NULL, 0});
    far_frame(f, NGHTTP2_SETTINGS, ACK, 0, (dx_bytes){NULL, 0});
}

void far_setting(far *f, uint16_t id, uint32_t value)
{
    uint8_t payload[6] = {(uint8_t)(id >> 8), (uint8_t)id};

    put_32(payload + 2, value);
    far_frame(f, NGHTTP2_SETTINGS, 0, 0, dx_bytes_at(payload, sizeof payload));
}

void far_reset(far *f, int32_t id, uint32_t code)
{
    uint8_t payload[4];

    put_32(payload, code);
    far_frame(f, NGHTTP2_RST_STREAM, 0, id, dx_bytes_at(payload, sizeof payload));
}

void far_goaway(far *f, int32_t last, uint32_t code)
{
    uint8_t payload[8];

    put_32(payload, (uint32_t)last);
    put_32(payload + 4, code);
    far_frame(f, NGHTTP2_GOAWAY, 0, 0, dx_bytes_at(payload, sizeof payload));
}

void far_window(far *f, int32_t id, uint32_t increment)
{
    uint8_t payload[4];

    put_32(payload, increment);
    far_frame(f, NGHTTP2_WINDOW_UPDATE, 0, id, dx_bytes_at(payload, sizeof payload));
}

/* ---- in ------------------------------------------------------------------------------------------- */

static uint32_t take_32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void note_field(far_stream *s, const nghttp2_nv *field)
{
    size_t room = sizeof s->head - s->head_size;
    int size =
        snprintf(s->head + s->head_size, room, "%.*s: %.*s\n", (int)field->namelen,
                 (const char *)field->name, (int)field->valuelen, (const char *)field->value);

    if ((size_t)size < room)
        s->head_size += (size_t)size;
}

static void note_head(far *f, int32_t id, const uint8_t *at, size_t left)
{
    for (int flags = 0; !(flags & NGHTTP2_HD_INFLATE_FINAL);) {
        nghttp2_nv field;
        ssize_t used = nghttp2_hd_inflate_hd2(f->inflater, &field, &flags, at, left, 1);
        dx_assert(used >= 0);
        if (used < 0)
            return;
        at += used;
        left -= (size_t)used;
        if (flags & NGHTTP2_HD_INFLATE_EMIT)
            note_field(far_of(f, id), &field);
    }
    nghttp2_hd_inflate_end_headers(f->inflater);
    f->requests++;
}

static void note_settings(far *f, const uint8_t *at, size_t size, bool is_ack)
{
    f->settings_acks += is_ack;
    f->settings += !is_ack;
    for (; size >= 6; at += 6, size -= 6) {
        unsigned id = (unsigned)at[0] << 8 | at[1];
        if (id == NGHTTP2_SETTINGS_ENABLE_PUSH)
            f->is_push_off = take_32(at + 2) == 0;
        if (id == NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE)
            f->stream_window = take_32(at + 2);
    }
}

static void note_frame(far *f, const nghttp2_frame_hd *hd, const uint8_t *at)
{
    far_stream *s = far_of(f, hd->stream_id);

    switch (hd->type) { /* a byte */
    case NGHTTP2_DATA:
        dx_assert(dx_buffer_append(&s->body, dx_bytes_at(at, hd->length)));
        s->is_ended |= (hd->flags & ES) != 0;
        break;
    case NGHTTP2_HEADERS:
        dx_assert(hd->flags & EH);
        note_head(f, hd->stream_id, at, hd->length);
        s->is_ended |= (hd->flags & ES) != 0;
        break;
    case NGHTTP2_RST_STREAM:
        s->is_reset = true;
        s->reset_code = take_32(at);
        break;
    case NGHTTP2_SETTINGS: note_settings(f, at, hd->length, hd->flags & ACK); break;
    case NGHTTP2_PING: f->pongs += (hd->flags & ACK) != 0; break;
    case NGHTTP2_GOAWAY:
        f->goaways++;
        f->goaway_code = take_32(at + 4);
        break;
    case NGHTTP2_WINDOW_UPDATE: s->window += take_32(at); break;
    default: dx_unreachable("a frame that a client does not send");
    }
}

void far_read(far *f)
{
    scene *s = f->s;
    char byte;

    for (size_t before = SIZE_MAX; before != s->asked.size;) {
        before = s->asked.size;
        peer_read(s);
    }
    if (s->peer >= 0 && recv(s->peer, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0)
        f->is_over = true;
    if (f->parsed == 0 && s->asked.size >= PREFACE_BYTES) {
        dx_assert(memcmp(s->asked.at, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", PREFACE_BYTES) == 0);
        f->parsed = PREFACE_BYTES;
    }
    while (f->parsed > 0 && s->asked.size - f->parsed >= FRAME_HEAD_BYTES) {
        const uint8_t *at = s->asked.at + f->parsed;
        nghttp2_frame_hd hd = {.length = take_32(at) >> 8,
                               .type = at[3],
                               .flags = at[4],
                               .stream_id = (int32_t)take_32(at + 5)};
        dx_assert(hd.length <= 16384);
        if (s->asked.size - f->parsed < FRAME_HEAD_BYTES + hd.length)
            return;
        f->parsed += FRAME_HEAD_BYTES + hd.length;
        note_frame(f, &hd, at + FRAME_HEAD_BYTES);
    }
}
