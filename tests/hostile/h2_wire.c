/* HTTP/2 as bytes.
 * SPDX-License-Identifier: MIT */
#include "tests/hostile/h2_wire.h"

#include <string.h>

enum { HEAD_BYTES = 9 };

static uint32_t read_u32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void write_u32(uint8_t *to, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        to[i] = (uint8_t)(value >> (24 - 8 * i));
}

size_t hw_frame(uint8_t *to, uint8_t type, uint8_t flags, uint32_t id, const void *payload,
                size_t size)
{
    write_u32(to, (uint32_t)size << 8 | type);
    to[4] = flags;
    write_u32(to + 5, id);
    if (payload)
        memcpy(to + HEAD_BYTES, payload, size);
    else
        memset(to + HEAD_BYTES, 0, size);
    return HEAD_BYTES + size;
}

size_t hw_get(uint8_t *to, uint8_t flags, uint32_t id, const char *path, const char *more,
              size_t more_size)
{
    static const uint8_t fixed[] = {0x82, 0x86, 0x01, 1, 'a', 0x04}; /* GET, http, :authority a */
    uint8_t block[1024];
    size_t size = sizeof fixed, path_size = strlen(path);

    memcpy(block, fixed, size);
    block[size++] = (uint8_t)path_size; /* below 127 */
    memcpy(block + size, path, path_size);
    size += path_size;
    if (more_size)
        memcpy(block + size, more, more_size);
    return hw_frame(to, HW_HEADERS, flags, id, block, size + more_size);
}

/* ---- what comes ---------------------------------------------------------------------------------- */

static void answer(hw_conn *c, uint8_t type, const uint8_t *payload, size_t size)
{
    uint8_t frame[HEAD_BYTES + 8];

    dx_peer_send(&c->peer, frame, hw_frame(frame, type, HW_ACK, 0, payload, size), 1000);
}

static void give_window(hw_conn *c, uint32_t size)
{
    uint8_t frame[HEAD_BYTES + 4], bytes[4];

    write_u32(bytes, size);
    if (size > 0)
        dx_peer_send(&c->peer, frame, hw_frame(frame, HW_WINDOW_UPDATE, 0, 0, bytes, 4), 1000);
}

static void note(hw_conn *c, uint8_t type, uint8_t flags, uint32_t id, const uint8_t *payload,
                 size_t size)
{
    bool has_end = (type == HW_DATA || type == HW_HEADERS) && flags & HW_END_STREAM;

    if (type == HW_HEADERS && size > 0)
        c->first_byte = payload[0], c->answers++;
    else if (type == HW_GOAWAY && size >= 8)
        c->goaway_code = (int)read_u32(payload + 4);
    else if (type == HW_RST_STREAM && size == 4) {
        c->reset_code = (int)read_u32(payload);
        c->reset_codes |= 1U << (c->reset_code & 31);
        c->resets++;
    } else if (type == HW_PING)
        c->pongs += flags & HW_ACK;
    if (has_end || type == HW_RST_STREAM)
        c->ended_id = id;
}

/* Of the frames in the input: answered is what a server waits for. */
static bool note_next(hw_conn *c)
{
    const uint8_t *at = dx_peer_input(&c->peer);
    size_t left = dx_peer_input_size(&c->peer);
    uint8_t kept[8];

    if (left < HEAD_BYTES)
        return false;
    size_t size = read_u32(at) >> 8;
    uint8_t type = at[3], flags = at[4];
    if (left < HEAD_BYTES + size)
        return false;
    note(c, type, flags, read_u32(at + 5), at + HEAD_BYTES, size);
    memcpy(kept, at + HEAD_BYTES, size < 8 ? size : 8);
    dx_peer_skip(&c->peer, HEAD_BYTES + size);
    if (type == HW_DATA)
        give_window(c, (uint32_t)size);
    else if (type == HW_SETTINGS && !(flags & HW_ACK))
        answer(c, HW_SETTINGS, NULL, 0);
    else if (type == HW_PING && !(flags & HW_ACK))
        answer(c, HW_PING, kept, 8);
    return true;
}

static void note_all(hw_conn *c)
{
    while (note_next(c))
        ;
}

bool hw_send(hw_conn *c, const void *bytes, size_t size, int timeout_ms)
{
    dx_peer_status status = dx_peer_send(&c->peer, bytes, size, timeout_ms);

    note_all(c);
    if (status != DX_PEER_OK || c->peer.broken != DX_PEER_OK)
        c->is_over = true;
    return !c->is_over;
}

bool hw_wait(hw_conn *c, bool (*until)(const hw_conn *c), int timeout_ms)
{
    note_all(c);
    while (!until(c)) {
        if (dx_peer_fill(&c->peer, timeout_ms) != DX_PEER_OK) {
            c->is_over = c->peer.broken != DX_PEER_OK;
            note_all(c);
            return until(c);
        }
        note_all(c);
    }
    return true;
}

/* ---- beginning and end ------------------------------------------------------------------------------ */

bool hw_open(hw_conn *c, const char *host, const char *port, uint32_t window)
{
    uint8_t bytes[24 + HEAD_BYTES + 6] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    uint8_t entry[6] = {0, 4};

    memset(c, 0, sizeof *c);
    c->id = 1;
    c->goaway_code = c->reset_code = HW_NO_CODE;
    if (dx_peer_connect(&c->peer, host, port, 5000) != DX_PEER_OK)
        return false;
    write_u32(entry + 2, window);
    hw_frame(bytes + 24, HW_SETTINGS, 0, 0, entry, sizeof entry);
    return hw_send(c, bytes, sizeof bytes, 5000);
}

void hw_close(hw_conn *c)
{
    dx_peer_deinit(&c->peer);
}
