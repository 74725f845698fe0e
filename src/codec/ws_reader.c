/* The reading half of a WebSocket connection: heads in order, payload as events.
 * SPDX-License-Identifier: MIT */
#include "codec/ws_reader.h"

#include "base/assert.h"
#include "codec/ws_close.h"
#include "codec/ws_mask.h"

/* Bits of reader->flags. */
enum {
    ROLE_CLIENT = 1 << 0, /* we are the client */
    DEFLATE = 1 << 1,     /* RSV1 may begin a message */
    IN_MESSAGE = 1 << 2,  /* a message was begun and not ended */
    STARTED = 1 << 3,     /* ... and a piece of it was told already */
    TEXT = 1 << 4,        /* of the open message */
    COMPRESSED = 1 << 5,  /* of the open message */
    FINAL = 1 << 6,       /* the open frame is the last of its message */
    ENDED = 1 << 7,       /* Close or a fault was seen */
    MESSAGE_FLAGS = IN_MESSAGE | STARTED | TEXT | COMPRESSED | FINAL,
};

void dx_ws_reader_init(dx_ws_reader *reader, dx_ws_role role, bool deflate)
{
    *reader = (dx_ws_reader){
        .flags = (uint8_t)((role == DX_WS_CLIENT ? ROLE_CLIENT : 0) | (deflate ? DEFLATE : 0)),
    };
}

bool dx_ws_reader_is_in_message(const dx_ws_reader *reader)
{
    return (reader->flags & IN_MESSAGE) != 0;
}

static void set(dx_ws_reader *r, unsigned flags)
{
    r->flags = (uint8_t)(r->flags | flags);
}

static void clear(dx_ws_reader *r, unsigned flags)
{
    r->flags = (uint8_t)(r->flags & ~flags);
}

static dx_ws_event_kind fault(dx_ws_reader *r, dx_ws_status status, dx_ws_event *ret)
{
    clear(r, MESSAGE_FLAGS);
    set(r, ENDED);
    r->frame_left = 0;
    *ret = (dx_ws_event){.kind = DX_WS_EVENT_FAULT, .fault = status};
    return ret->kind;
}

static dx_ws_event_kind more(dx_ws_event *ret)
{
    *ret = (dx_ws_event){.kind = DX_WS_EVENT_MORE};
    return ret->kind;
}

static void skip(dx_span *in, size_t size)
{
    if (size > 0)
        in->at += size, in->size -= size;
}

/* ---- data ------------------------------------------------------------------------------------- */

static dx_ws_status check_text(dx_utf8 *utf8, dx_bytes piece, bool last)
{
    if (!dx_utf8_feed(utf8, piece))
        return DX_WS_FAULT_UTF8;
    return last && !dx_utf8_is_complete(utf8) ? DX_WS_FAULT_UTF8_CUT : DX_WS_OK;
}

dx_ws_status dx_ws_reader_text(dx_ws_reader *reader, dx_bytes inflated, bool last)
{
    dx_ws_status status = check_text(&reader->utf8, inflated, last);

    if (last || status != DX_WS_OK)
        reader->utf8 = (dx_utf8){0};
    return status;
}

/* Turns the key so that its first byte is for the next byte of payload. */
static void turn_mask(uint8_t mask[4], size_t by)
{
    uint8_t old[4];

    memcpy(old, mask, sizeof old);
    for (size_t i = 0; i < 4; i++)
        mask[i] = old[(by + i) & 3];
}

/* Tells what there is of the open frame: `size` bytes at the front of `*in`. */
static dx_ws_event_kind read_piece(dx_ws_reader *r, dx_span *in, uint8_t head_size,
                                   dx_ws_event *ret)
{
    size_t size = dx_min_size(in->size, r->frame_left);
    dx_span piece = {in->at, size};
    bool last;

    if (!(r->flags & ROLE_CLIENT)) {
        dx_ws_mask(piece.at, size, r->mask, 0);
        turn_mask(r->mask, size);
    }
    r->frame_left -= (uint32_t)size;
    skip(in, size);
    last = r->frame_left == 0 && (r->flags & FINAL);

    if ((r->flags & (TEXT | COMPRESSED)) == TEXT) {
        dx_ws_status status = check_text(&r->utf8, dx_span_bytes(piece), last);
        if (status != DX_WS_OK)
            return fault(r, status, ret);
    }
    *ret = (dx_ws_event){
        .kind = DX_WS_EVENT_DATA,
        .opcode = r->flags & TEXT ? DX_WS_TEXT : DX_WS_BINARY,
        .first = !(r->flags & STARTED),
        .last = last,
        .compressed = (r->flags & COMPRESSED) != 0,
        .head_size = head_size,
        .frame_left = r->frame_left,
        .payload = piece,
    };
    if (last)
        clear(r, MESSAGE_FLAGS);
    else
        set(r, STARTED);
    return ret->kind;
}

/* Enters the data frame of `head`. */
static dx_ws_status begin_frame(dx_ws_reader *r, const dx_ws_head *head)
{
    if (head->opcode != DX_WS_CONTINUATION) {
        r->message_bytes = r->fragments_count = 0;
        r->utf8 = (dx_utf8){0};
        set(r,
            IN_MESSAGE | (head->opcode == DX_WS_TEXT ? TEXT : 0) | (head->rsv1 ? COMPRESSED : 0));
    }
    r->message_bytes += (uint32_t)head->payload_size;
    r->fragments_count++;
    if (r->fragments_count > DX_WS_FRAGMENTS_BASE + r->message_bytes / DX_WS_FRAGMENT_BYTES)
        return DX_WS_FAULT_FRAGMENTS;
    r->frame_left = (uint32_t)head->payload_size;
    memcpy(r->mask, head->mask, sizeof r->mask);
    if (head->fin)
        set(r, FINAL);
    return DX_WS_OK;
}

/* ---- control ---------------------------------------------------------------------------------- */

/* `payload` is whole and unmasked. */
static dx_ws_event_kind tell_control(dx_ws_reader *r, const dx_ws_head *head, dx_span payload,
                                     dx_ws_event *ret)
{
    uint16_t code;
    dx_bytes reason;

    if (head->opcode != DX_WS_CLOSE) {
        *ret = (dx_ws_event){
            .kind = head->opcode == DX_WS_PING ? DX_WS_EVENT_PING : DX_WS_EVENT_PONG,
            .head_size = head->masked ? 6 : 2,
            .payload = payload,
        };
        return ret->kind;
    }
    dx_ws_status status = dx_ws_close_read(dx_span_bytes(payload), &code, &reason);
    if (status != DX_WS_OK)
        return fault(r, status, ret);
    set(r, ENDED);
    *ret = (dx_ws_event){
        .kind = DX_WS_EVENT_CLOSE,
        .close_code = code,
        .payload = {payload.at + (payload.size - reason.size), reason.size},
    };
    return ret->kind;
}

/* ---- frames ----------------------------------------------------------------------------------- */

/* One frame from the front of `*in`. DX_WS_EVENT_MORE: nothing to tell; the frame was empty and taken
 * if `*in` moved, else it is not whole yet. */
static dx_ws_event_kind read_frame(dx_ws_reader *r, dx_span *in, uint32_t bytes_max,
                                   dx_ws_event *ret)
{
    bool in_message = (r->flags & IN_MESSAGE) != 0;
    uint32_t used = in_message ? r->message_bytes : 0;
    dx_ws_rules rules = {
        .payload_bytes_max = bytes_max > used ? bytes_max - used : 0,
        .role = r->flags & ROLE_CLIENT ? DX_WS_CLIENT : DX_WS_SERVER,
        .deflate = (r->flags & DEFLATE) != 0,
        .message_open = in_message,
    };
    dx_bytes cur = dx_span_bytes(*in);
    dx_ws_head head;
    dx_ws_status status = dx_ws_head_read(&cur, &rules, &head);

    if (status == DX_WS_MORE)
        return more(ret);
    if (status != DX_WS_OK)
        return fault(r, status, ret);
    size_t head_size = in->size - cur.size;
    if (dx_ws_opcode_is_control(head.opcode)) {
        if (cur.size < head.payload_size)
            return more(ret);
        skip(in, head_size);
        dx_span payload = {in->at, (size_t)head.payload_size};
        if (head.masked)
            dx_ws_mask(payload.at, payload.size, head.mask, 0);
        skip(in, payload.size);
        return tell_control(r, &head, payload, ret);
    }
    skip(in, head_size);
    if ((status = begin_frame(r, &head)) != DX_WS_OK)
        return fault(r, status, ret);
    if (r->frame_left > 0 ? in->size == 0 : !head.fin)
        return more(ret); /* the head alone, or an empty fragment */
    return read_piece(r, in, (uint8_t)head_size, ret);
}

/* The case to be fast in: a message in one frame of up to 125 bytes that is all there. False for any
 * other, right or wrong, which then goes the long way; nothing has changed. */
static inline bool read_small(dx_ws_reader *r, dx_span *in, uint32_t bytes_max, dx_ws_event *ret)
{
    enum { FIN_TEXT = 0x81, FIN_BINARY = 0x82, MASK = 0x80 };
    bool masked = !(r->flags & ROLE_CLIENT);
    size_t head_size = masked ? 6 : 2;
    uint8_t *at = in->at;

    if ((r->flags & (IN_MESSAGE | ENDED)) || in->size < head_size)
        return false;
    size_t size = at[1] ^ (masked ? MASK : 0);
    if ((at[0] != FIN_TEXT && at[0] != FIN_BINARY) || size > DX_WS_CONTROL_BYTES_MAX ||
        size > bytes_max || size > in->size - head_size)
        return false;
    dx_span payload = {at + head_size, size};
    if (masked)
        dx_ws_mask(payload.at, size, at + 2, 0);
    skip(in, head_size + size);
    if (at[0] == FIN_TEXT && !dx_utf8_is_valid(dx_span_bytes(payload))) {
        r->utf8 = (dx_utf8){0};
        fault(r, check_text(&r->utf8, dx_span_bytes(payload), true), ret);
        return true;
    }
    *ret = (dx_ws_event){
        .kind = DX_WS_EVENT_DATA,
        .opcode = at[0] == FIN_TEXT ? DX_WS_TEXT : DX_WS_BINARY,
        .first = true,
        .last = true,
        .head_size = (uint8_t)head_size,
        .payload = payload,
    };
    return true;
}

dx_ws_event_kind dx_ws_read(dx_ws_reader *reader, dx_span *in, uint32_t message_bytes_max,
                            dx_ws_event *ret)
{
    if (DX_LIKELY(read_small(reader, in, message_bytes_max, ret)))
        return ret->kind;
    if (DX_UNLIKELY(reader->flags & ENDED)) {
        skip(in, in->size);
        return more(ret);
    }
    if (reader->frame_left > 0)
        return in->size > 0 ? read_piece(reader, in, 0, ret) : more(ret);
    for (;;) {
        size_t before = in->size;
        dx_ws_event_kind kind = read_frame(reader, in, message_bytes_max, ret);
        if (kind != DX_WS_EVENT_MORE || in->size == 0 || in->size == before)
            return kind;
    }
}
