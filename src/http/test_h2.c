/* The bare other end of an HTTP/2 connection.
 * SPDX-License-Identifier: MIT */
#include "http/test_h2.h"

#include <stdarg.h>
#include <stdio.h>

enum { FRAME_HEAD_BYTES = 9 };

/* ---- life --------------------------------------------------------------------------------------- */

static void begin(h2 *c)
{
    int failed = nghttp2_hd_inflate_new(&c->inflater);
    dx_assert(failed == 0);
    c->first_type = -1;
}

void h2_open(h2 *c, const dx_http_config *config)
{
    memset(c, 0, sizeof *c);
    site_init(&c->s, config, NULL);
    site_connect(&c->s, &c->p);
    begin(c);
}

/* Turns and reads until the condition holds, 10 s at most. */
#define UNTIL(c, condition)                                                                        \
    for (uint64_t until_ms = dx_clock_ms() + 10000;                                                \
         h2_read(c), !(condition) && dx_clock_ms() < until_ms;)                                    \
    dx_loop_step((c)->s.w.loop, 20)

bool h2_greet(h2 *c)
{
    h2_bytes(c, dx_http2_preface.at, dx_http2_preface.size);
    h2_frame(c, NGHTTP2_SETTINGS, 0, 0, NULL, 0);
    UNTIL(c, c->settings == 1 && c->settings_acks == 1);
    h2_frame(c, NGHTTP2_SETTINGS, ACK, 0, NULL, 0);
    return c->settings == 1;
}

static void let_go(h2 *c)
{
    for (size_t i = 0; i < H2_STREAMS_MAX; i++)
        dx_buffer_clear(&c->streams[i].body);
    dx_buffer_clear(&c->block);
    nghttp2_hd_inflate_del(c->inflater);
    peer_close(&c->p);
}

void h2_close(h2 *c)
{
    while (c->s.later_count > 0) /* nobody waits for those */
        site_answer(&c->s, "");
    let_go(c);
    site_deinit(&c->s);
}

/* The fields of a site that its turns need are those of the other. */
void h2_open_beside(h2 *to, h2 *c)
{
    memset(to, 0, sizeof *to);
    to->s.w.loop = c->s.w.loop;
    site_connect(&c->s, &to->p);
    begin(to);
}

void h2_close_beside(h2 *to, h2 *c)
{
    let_go(to);
    world_settle(&c->s.w);
}

dx_conn *h2_server_conn(h2 *c)
{
    for (dx_list *l = c->s.w.net.live.next; l != &c->s.w.net.live; l = l->next)
        if (dx_http2_is(DX_CONTAINER(l, dx_conn, link)))
            return DX_CONTAINER(l, dx_conn, link);
    return NULL;
}

/* ---- out ---------------------------------------------------------------------------------------- */

void h2_bytes(h2 *c, const void *at, size_t size)
{
    dx_bytes bytes = dx_bytes_at(at, size);

    while (bytes.size > 0 &&
           !c->p.is_reset) { /* reading meanwhile: the server may want to be heard */
        size_t sent = peer_write_some(&c->p, bytes);
        dx_bytes_skip(&bytes, sent);
        dx_loop_step(c->s.w.loop, sent > 0 ? 0 : 1);
        peer_read(&c->p, SIZE_MAX);
    }
}

static void put_head(uint8_t *to, size_t length, uint8_t type, uint8_t flags, int32_t id)
{
    const uint8_t bytes[FRAME_HEAD_BYTES] = {(uint8_t)(length >> 16),
                                             (uint8_t)(length >> 8),
                                             (uint8_t)length,
                                             type,
                                             flags,
                                             (uint8_t)((uint32_t)id >> 24),
                                             (uint8_t)(id >> 16),
                                             (uint8_t)(id >> 8),
                                             (uint8_t)id};
    memcpy(to, bytes, sizeof bytes);
}

void h2_frame_head(h2 *c, size_t length, uint8_t type, uint8_t flags, int32_t id)
{
    uint8_t head[FRAME_HEAD_BYTES];

    put_head(head, length, type, flags, id);
    h2_bytes(c, head, sizeof head);
}

void h2_frame(h2 *c, uint8_t type, uint8_t flags, int32_t id, const void *payload, size_t size)
{
    static uint8_t frame[FRAME_HEAD_BYTES + (1 << 20)];

    dx_assert(size <= sizeof frame - FRAME_HEAD_BYTES);
    put_head(frame, size, type, flags, id);
    dx_copy(frame + FRAME_HEAD_BYTES, payload, size);
    h2_bytes(c, frame, FRAME_HEAD_BYTES + size);
}

/* RFC 7541 §5.1: 7 bits, then sevens. */
static size_t put_string(uint8_t *to, const char *text)
{
    size_t length = strlen(text), size = 0, rest = length;

    if (length < 127) {
        to[size++] = (uint8_t)length;
    } else {
        to[size++] = 127;
        for (rest -= 127; rest >= 128; rest >>= 7)
            to[size++] = (uint8_t)(rest | 128);
        to[size++] = (uint8_t)rest;
    }
    memcpy(to + size, text, length);
    return size + length;
}

static size_t put_block(uint8_t *to, size_t max, va_list fields)
{
    size_t size = 0;
    const char *name;

    while ((name = va_arg(fields, const char *)) != NULL) {
        const char *value = va_arg(fields, const char *);
        dx_assert(size + strlen(name) + strlen(value) + 16 <= max);
        to[size++] = 0; /* literal, not indexed, new name */
        size += put_string(to + size, name);
        size += put_string(to + size, value);
    }
    return size;
}

size_t h2_block(uint8_t *to, size_t max, ...)
{
    va_list fields;

    va_start(fields, max);
    size_t size = put_block(to, max, fields);
    va_end(fields);
    return size;
}

void h2_headers(h2 *c, int32_t id, int flags, ...)
{
    uint8_t block[32768];
    va_list fields;

    va_start(fields, flags);
    size_t size = put_block(block, sizeof block, fields);
    va_end(fields);
    h2_frame(c, NGHTTP2_HEADERS, (uint8_t)flags, id, block, size);
}

void h2_request(h2 *c, int32_t id, uint8_t flags, const char *method, const char *path)
{
    h2_headers(c, id, flags, ":method", method, ":scheme", "http", ":path", path, ":authority",
               "localhost", NULL);
}

void h2_get(h2 *c, int32_t id, const char *path)
{
    h2_request(c, id, ES | EH, "GET", path);
}

void h2_data(h2 *c, int32_t id, uint8_t flags, const char *text)
{
    h2_frame(c, NGHTTP2_DATA, flags, id, text, strlen(text));
}

static void put_32(uint8_t *to, uint32_t number)
{
    const uint8_t bytes[4] = {(uint8_t)(number >> 24), (uint8_t)(number >> 16),
                              (uint8_t)(number >> 8), (uint8_t)number};
    memcpy(to, bytes, sizeof bytes);
}

void h2_window(h2 *c, int32_t id, uint32_t increment)
{
    uint8_t payload[4];

    put_32(payload, increment);
    h2_frame(c, NGHTTP2_WINDOW_UPDATE, 0, id, payload, sizeof payload);
}

void h2_setting(h2 *c, uint16_t setting, uint32_t value)
{
    uint8_t payload[6] = {(uint8_t)(setting >> 8), (uint8_t)setting};

    put_32(payload + 2, value);
    h2_frame(c, NGHTTP2_SETTINGS, 0, 0, payload, sizeof payload);
}

void h2_reset(h2 *c, int32_t id, uint32_t code)
{
    uint8_t payload[4];

    put_32(payload, code);
    h2_frame(c, NGHTTP2_RST_STREAM, 0, id, payload, sizeof payload);
}

void h2_ping(h2 *c)
{
    H2_FRAME(c, NGHTTP2_PING, 0, 0, "duplex?!");
}

/* ---- in ------------------------------------------------------------------------------------------- */

h2_stream *h2_of(h2 *c, int32_t id)
{
    int32_t index = id / 2; /* of attacks nobody looks at the last ones */
    return &c->streams[index < H2_STREAMS_MAX ? index : H2_STREAMS_MAX - 1];
}

static uint32_t take_32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void note_field(h2_stream *s, const nghttp2_nv *field)
{
    bool is_status = field->namelen == 7 && memcmp(field->name, ":status", 7) == 0;

    if (is_status)
        s->status =
            (field->value[0] - '0') * 100 + (field->value[1] - '0') * 10 + (field->value[2] - '0');
    size_t room = sizeof s->head - s->head_size;
    int size =
        snprintf(s->head + s->head_size, room, "%.*s: %.*s\n", (int)field->namelen,
                 (const char *)field->name, (int)field->valuelen, (const char *)field->value);
    if ((size_t)size < room)
        s->head_size += (size_t)size;
}

static void note_head(h2 *c, int32_t id)
{
    h2_stream *s = h2_of(c, id);
    const uint8_t *at = c->block.at;
    size_t left = c->block.size;

    s->head_size = 0;
    for (;;) {
        nghttp2_nv field;
        int flags = 0;
        ssize_t used = nghttp2_hd_inflate_hd2(c->inflater, &field, &flags, at, left, 1);
        if (used < 0) {
            c->is_broken = true;
            return;
        }
        at += used;
        left -= (size_t)used;
        if (flags & NGHTTP2_HD_INFLATE_EMIT)
            note_field(s, &field);
        if (flags & NGHTTP2_HD_INFLATE_FINAL)
            break;
    }
    nghttp2_hd_inflate_end_headers(c->inflater);
    dx_buffer_clear(&c->block);
    s->infos += s->status < 200;
}

static void append(dx_buffer *to, const uint8_t *at, size_t size)
{
    bool ok = dx_buffer_append(to, dx_bytes_at(at, size));
    dx_assert(ok);
}

static void note_goaway(h2 *c, const uint8_t *at)
{
    if (c->goaways < H2_GOAWAYS_MAX) {
        c->goaway_last[c->goaways] = (int32_t)take_32(at);
        c->goaway_codes[c->goaways] = take_32(at + 4);
    }
    c->goaways++;
}

static void note_frame(h2 *c, const nghttp2_frame_hd *hd, const uint8_t *at)
{
    h2_stream *s = hd->stream_id ? h2_of(c, hd->stream_id) : NULL;

    if (c->frames++ == 0)
        c->first_type = hd->type;
    switch (hd->type) { /* a byte */
    case NGHTTP2_DATA:
        append(&s->body, at, hd->length);
        s->data_frames++;
        s->is_ended |= (hd->flags & ES) != 0;
        break;
    case NGHTTP2_HEADERS:
    case NGHTTP2_CONTINUATION:
        append(&c->block, at, hd->length);
        s->is_ended |= hd->type == NGHTTP2_HEADERS && (hd->flags & ES);
        if (hd->flags & EH)
            note_head(c, hd->stream_id);
        break;
    case NGHTTP2_RST_STREAM:
        c->resets++;
        s->is_reset = true;
        s->reset_code = take_32(at);
        break;
    case NGHTTP2_SETTINGS:
        c->settings_acks += (hd->flags & ACK) != 0;
        c->settings += !(hd->flags & ACK);
        break;
    case NGHTTP2_PING:
        c->pongs += (hd->flags & ACK) != 0;
        c->pings += !(hd->flags & ACK);
        memcpy(hd->flags & ACK ? c->pong : c->ping, at, 8);
        break;
    case NGHTTP2_GOAWAY: note_goaway(c, at); break;
    case NGHTTP2_WINDOW_UPDATE: *(s ? &s->window : &c->window) += take_32(at); break;
    default: c->is_broken = true; break;
    }
}

void h2_read(h2 *c)
{
    peer_read(&c->p, SIZE_MAX);
    while (c->p.in.size - c->parsed >= FRAME_HEAD_BYTES && !c->is_broken) {
        const uint8_t *at = c->p.in.at + c->parsed;
        nghttp2_frame_hd hd = {.length = take_32(at) >> 8,
                               .type = at[3],
                               .flags = at[4],
                               .stream_id = (int32_t)take_32(at + 5)};
        if (hd.length > 16384) {
            c->is_broken = true;
            return;
        }
        if (c->p.in.size - c->parsed < FRAME_HEAD_BYTES + hd.length)
            return;
        c->parsed += FRAME_HEAD_BYTES + hd.length;
        note_frame(c, &hd, at + FRAME_HEAD_BYTES);
    }
}

bool h2_is_over(const h2 *c)
{
    return c->p.is_ended || c->p.is_reset;
}

const char *h2_field(h2 *c, int32_t id, const char *name)
{
    static char value[1024];
    h2_stream *s = h2_of(c, id);
    dx_bytes rest = dx_bytes_at(s->head, s->head_size), line;
    size_t size = strlen(name);

    value[0] = '\0';
    while (dx_bytes_split(&rest, '\n', &line))
        if (line.size > size + 1 && memcmp(line.at, name, size) == 0 && line.at[size] == ':')
            snprintf(value, sizeof value, "%.*s", (int)(line.size - size - 2),
                     (const char *)line.at + size + 2);
    return value;
}

bool h2_is_alive(h2 *c)
{
    memset(c->pong, 0, sizeof c->pong);
    h2_ping(c);
    UNTIL(c, memcmp(c->pong, "duplex?!", 8) == 0);
    return memcmp(c->pong, "duplex?!", 8) == 0 && !c->is_broken && !h2_is_over(c) &&
           c->goaways == 0;
}

/* ---- cases ------------------------------------------------------------------------------------------ */

static bool is_among(uint32_t code, uint32_t bits)
{
    return code < 32 && (bits & DX_BIT(code));
}

/* The connection ends behind the GOAWAY in order, not by a reset that could overtake it. */
static const char *complain_of_goaway(h2 *c, uint32_t codes)
{
    static char text[128];

    UNTIL(c, h2_is_over(c));
    if (!h2_is_over(c))
        return "the connection does not end";
    if (c->goaways == 0)
        return "the connection ends without GOAWAY";
    snprintf(text, sizeof text, "GOAWAY has the code %u", c->goaway_codes[0]);
    if (!is_among(c->goaway_codes[0], codes))
        return text;
    return c->p.is_reset ? "the connection is reset" : NULL;
}

static const char *complain_of_answer(h2 *c, h2_stream *s, int status)
{
    static char text[128];

    UNTIL(c, s->is_ended || s->is_reset || h2_is_over(c));
    snprintf(text, sizeof text, "the stream is %s, its status is %d, GOAWAYs: %d",
             s->is_ended   ? "ended"
             : s->is_reset ? "reset"
                           : "open",
             s->status, c->goaways);
    return s->is_ended && s->status == status ? NULL : text;
}

static const char *complain_of_reset(h2 *c, h2_stream *s, uint32_t codes)
{
    static char text[128];

    UNTIL(c, s->is_reset || h2_is_over(c));
    if (!s->is_reset)
        return complain_of_goaway(c, codes);
    snprintf(text, sizeof text, "RST_STREAM has the code %u", s->reset_code);
    return is_among(s->reset_code, codes) ? NULL : text;
}

static const char *complain(h2 *c, h2_want want)
{
    h2_stream *s = want.id ? h2_of(c, want.id) : NULL;
    const char *complaint = NULL;

    switch (want.kind) {
    case H2_CONN: return complain_of_goaway(c, want.codes);
    case H2_STREAM: complaint = complain_of_reset(c, s, want.codes); break;
    case H2_ANSWERED: complaint = complain_of_answer(c, s, want.status); break;
    case H2_ALIVE: break;
    }
    if (complaint || h2_is_over(c) || c->goaways > 0)
        return complaint;
    return h2_is_alive(c) ? NULL : "the connection does not answer a ping";
}

const char *h2_complaint(h2 *c, h2_want want)
{
    const char *complaint = complain(c, want);

    if (complaint)
        return complaint;
    if (want.kind != H2_CONN && want.kind != H2_STREAM && (h2_is_over(c) || c->goaways > 0))
        return "the connection ends";
    if (c->is_broken)
        return "what came is no HTTP/2";
    return c->first_type == NGHTTP2_SETTINGS ? NULL : "the first frame is not SETTINGS";
}
