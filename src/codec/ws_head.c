/* WebSocket frame heads: reading by the rules, writing in the shortest form.
 * SPDX-License-Identifier: MIT */
#include "codec/ws_head.h"

#include "base/assert.h"

enum { FIN = 0x80, RSV1 = 0x40, RSV23 = 0x30, OPCODE = 0x0f, MASK = 0x80, SIZE7 = 0x7f };
enum { SIZE16_FOLLOWS = 126, SIZE64_FOLLOWS = 127 };

/* Which of the 16 opcodes exist: 0-2 and 8-10. */
static const uint16_t opcodes_known = 0x0707;

static dx_ws_status check_first_byte(uint8_t b0, const dx_ws_rules *rules)
{
    dx_ws_opcode opcode = (dx_ws_opcode)(b0 & OPCODE);

    if (b0 & RSV23)
        return DX_WS_FAULT_RSV;
    if (!(opcodes_known >> opcode & 1))
        return DX_WS_FAULT_OPCODE;
    if ((b0 & RSV1) && !rules->deflate)
        return DX_WS_FAULT_RSV1;
    if (dx_ws_opcode_is_control(opcode)) {
        if (b0 & RSV1)
            return DX_WS_FAULT_RSV1_CONTROL;
        return b0 & FIN ? DX_WS_OK : DX_WS_FAULT_CONTROL_FRAGMENTED;
    }
    if (opcode != DX_WS_CONTINUATION)
        return rules->message_open ? DX_WS_FAULT_CONTINUATION_EXPECTED : DX_WS_OK;
    if (b0 & RSV1)
        return DX_WS_FAULT_RSV1_CONTINUATION;
    return rules->message_open ? DX_WS_OK : DX_WS_FAULT_CONTINUATION_STRAY;
}

static dx_ws_status check_second_byte(uint8_t b0, uint8_t b1, const dx_ws_rules *rules)
{
    if (rules->role == DX_WS_SERVER && !(b1 & MASK))
        return DX_WS_FAULT_UNMASKED;
    if (rules->role == DX_WS_CLIENT && (b1 & MASK))
        return DX_WS_FAULT_MASKED;
    if (dx_ws_opcode_is_control((dx_ws_opcode)(b0 & OPCODE)))
        return (b1 & SIZE7) > DX_WS_CONTROL_BYTES_MAX ? DX_WS_FAULT_CONTROL_SIZE : DX_WS_OK;
    if ((b1 & SIZE7) < SIZE16_FOLLOWS && (b1 & SIZE7) > rules->payload_bytes_max)
        return DX_WS_FAULT_MESSAGE_SIZE;
    return DX_WS_OK;
}

/* Judges the first `have` of the 2 or 8 bytes of a length: they bound it from both sides, so one that
 * can only be wrong is refused before its last byte came. */
static dx_ws_status check_long_size(uint64_t prefix, unsigned have, unsigned width, uint64_t max)
{
    unsigned bits_unknown = 8 * (width - have);
    uint64_t least = prefix << bits_unknown;
    uint64_t most = least | (((uint64_t)1 << bits_unknown) - 1);

    if (least >> 63)
        return DX_WS_FAULT_LENGTH_TOP_BIT;
    if (most < (width == 2 ? 126 : 65536))
        return DX_WS_FAULT_LENGTH_NOT_MINIMAL;
    return least > max ? DX_WS_FAULT_MESSAGE_SIZE : DX_WS_OK;
}

/* Byte by byte, so that the answer does not depend on how much of it has come. */
static dx_ws_status read_long_size(dx_bytes *in, unsigned width, uint64_t max, uint64_t *ret)
{
    unsigned have = (unsigned)dx_min_size(in->size, width);
    uint64_t value = 0;

    for (unsigned i = 0; i < have; i++) {
        value = value << 8 | in->at[i];
        dx_ws_status status = check_long_size(value, i + 1, width, max);
        if (status != DX_WS_OK)
            return status;
    }
    if (have < width)
        return DX_WS_MORE;
    dx_bytes_skip(in, width);
    *ret = value;
    return DX_WS_OK;
}

dx_ws_status dx_ws_head_read(dx_bytes *in, const dx_ws_rules *rules, dx_ws_head *ret)
{
    dx_bytes cur = *in; /* a trial cursor: *in moves only on success */
    dx_ws_status status;
    uint8_t b0, b1;

    if (!dx_bytes_u8(&cur, &b0))
        return DX_WS_MORE;
    if ((status = check_first_byte(b0, rules)) != DX_WS_OK)
        return status;
    if (!dx_bytes_u8(&cur, &b1))
        return DX_WS_MORE;
    if ((status = check_second_byte(b0, b1, rules)) != DX_WS_OK)
        return status;

    dx_ws_head head = {
        .payload_size = b1 & SIZE7,
        .opcode = (dx_ws_opcode)(b0 & OPCODE),
        .fin = (b0 & FIN) != 0,
        .rsv1 = (b0 & RSV1) != 0,
        .masked = (b1 & MASK) != 0,
    };
    if (head.payload_size >= SIZE16_FOLLOWS) {
        unsigned width = head.payload_size == SIZE16_FOLLOWS ? 2 : 8;
        status = read_long_size(&cur, width, rules->payload_bytes_max, &head.payload_size);
        if (status != DX_WS_OK)
            return status;
    }
    if (head.masked) {
        if (cur.size < sizeof head.mask)
            return DX_WS_MORE;
        memcpy(head.mask, cur.at, sizeof head.mask);
        dx_bytes_skip(&cur, sizeof head.mask);
    }
    dx_assert(cur.at > in->at && cur.at <= in->at + in->size);
    *in = cur;
    *ret = head;
    return DX_WS_OK;
}

size_t dx_ws_head_write(uint8_t out[DX_WS_HEAD_BYTES_MAX], const dx_ws_head *head)
{
    uint64_t payload = head->payload_size;
    uint8_t mask_bit = head->masked ? MASK : 0;
    size_t size = 2;

    dx_assert(payload >> 63 == 0);
    dx_assert(!dx_ws_opcode_is_control(head->opcode) ||
              (head->fin && payload <= DX_WS_CONTROL_BYTES_MAX));
    out[0] = (uint8_t)((head->fin ? FIN : 0) | (head->rsv1 ? RSV1 : 0) | head->opcode);
    if (payload < SIZE16_FOLLOWS) {
        out[1] = (uint8_t)(mask_bit | payload);
    } else if (payload < 65536) {
        out[1] = mask_bit | SIZE16_FOLLOWS;
        out[2] = (uint8_t)(payload >> 8), out[3] = (uint8_t)payload;
        size = 4;
    } else {
        out[1] = mask_bit | SIZE64_FOLLOWS;
        for (unsigned i = 0; i < 8; i++)
            out[2 + i] = (uint8_t)(payload >> (56 - 8 * i));
        size = 10;
    }
    if (head->masked) {
        memcpy(out + size, head->mask, sizeof head->mask);
        size += sizeof head->mask;
    }
    dx_assert(size == dx_ws_head_size(payload, head->masked));
    return size;
}
