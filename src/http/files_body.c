/* Static files: the bytes' way from a descriptor, or memory, to a client, piece by piece.
 * Is:     one range or many (multipart/byteranges), never more than one piece queued.
 * Is not: which file, which ranges (files.c).
 * Source: RFC 9110 §14.6, §15.3.7.2; RFC 2046 §5.1.
 * SPDX-License-Identifier: MIT */
#include "http/files_inner.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/random.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

enum { PIECE_BYTES = 65536, PART_HEAD_BYTES_MAX = 256 };

static bool is_multipart(const dx_files_body *b)
{
    return b->ranges_count > 1;
}

static size_t part_head_write(const dx_files_body *b, size_t index, char at[PART_HEAD_BYTES_MAX])
{
    int size = snprintf(at, PART_HEAD_BYTES_MAX,
                        "%s--%s\r\nContent-Type: %s\r\nContent-Range: bytes %" PRIu64 "-%" PRIu64
                        "/%" PRIu64 "\r\n\r\n",
                        index > 0 ? "\r\n" : "", b->boundary, b->type, b->ranges[index].first,
                        b->ranges[index].last, b->size);
    dx_assert(size > 0 && size < PART_HEAD_BYTES_MAX);
    return (size_t)size;
}

static size_t parts_end_write(const dx_files_body *b, char at[PART_HEAD_BYTES_MAX])
{
    int size = snprintf(at, PART_HEAD_BYTES_MAX, "\r\n--%s--\r\n", b->boundary);
    dx_assert(size > 0 && size < PART_HEAD_BYTES_MAX);
    return (size_t)size;
}

/* Nobody who made the file can know it (RFC 2046 §5.1.1: it must not be in there). */
static void boundary_choose(char boundary[DX_FILES_BOUNDARY_BYTES])
{
    uint64_t random[2];

    dx_random_fill(random, sizeof random);
    snprintf(boundary, DX_FILES_BOUNDARY_BYTES, "%016" PRIx64 "%016" PRIx64, random[0], random[1]);
}

uint64_t dx_files_body_init(dx_files_body *b)
{
    char text[PART_HEAD_BYTES_MAX];
    uint64_t length = 0;

    if (b->ranges_count == 0 && b->size > 0) {
        b->ranges[0] = (dx_http_range){0, b->size - 1};
        b->ranges_count = 1;
    }
    boundary_choose(b->boundary);
    for (size_t i = 0; i < b->ranges_count; i++)
        length += b->ranges[i].last - b->ranges[i].first + 1 +
                  (is_multipart(b) ? part_head_write(b, i, text) : 0);
    b->index = 0;
    b->at = b->ranges_count > 0 ? b->ranges[0].first : 0;
    b->is_head_sent = false;
    b->is_over = b->ranges_count == 0;
    return length + (is_multipart(b) ? parts_end_write(b, text) : 0);
}

/* Bytes of the current range, up to `size` of them. False if the file has none there any more. */
static bool body_read(dx_files_body *b, uint8_t *to, size_t size, size_t *ret)
{
    size_t wanted = (size_t)dx_min_u64(b->ranges[b->index].last + 1 - b->at, size);
    ssize_t got = (ssize_t)wanted;

    if (b->memory)
        memcpy(to, b->memory + b->at, wanted);
    else
        do
            got = pread(b->fd, to, wanted, (off_t)b->at);
        while (got < 0 && errno == EINTR);
    if (got <= 0)
        return false;
    *ret = (size_t)got;
    b->at += (uint64_t)got;
    return true;
}

static void next_part(dx_files_body *b)
{
    b->index++;
    b->is_head_sent = false;
    b->is_over = b->index == b->ranges_count;
    if (!b->is_over)
        b->at = b->ranges[b->index].first;
}

/* The next piece of the body. A piece always has room for a head behind what it holds. */
static size_t piece_fill(dx_files_body *b, uint8_t piece[PIECE_BYTES])
{
    size_t size = 0, part;

    while (!b->is_over && size + 2 * PART_HEAD_BYTES_MAX < PIECE_BYTES) {
        if (is_multipart(b) && !b->is_head_sent)
            size += part_head_write(b, b->index, (char *)piece + size);
        b->is_head_sent = true;
        size_t room = PIECE_BYTES - size - (is_multipart(b) ? PART_HEAD_BYTES_MAX : 0);
        if (!body_read(b, piece + size, room, &part)) {
            b->is_over =
                true; /* the length that was announced is not reached: the carrier resets */
            return size;
        }
        size += part;
        if (b->at > b->ranges[b->index].last)
            next_part(b);
        if (b->is_over && is_multipart(b))
            size += parts_end_write(b, (char *)piece + size);
    }
    return size;
}

static void body_close(const dx_files_body *b)
{
    if (b->fd >= 0)
        close(b->fd);
}

static void on_gone(dx_exchange *x, void *context)
{
    dx_files_body *b = context;

    (void)x;
    body_close(b);
}

static void send_piece(dx_exchange *x, void *context)
{
    dx_files_body *b = context, before = *b;
    uint8_t piece[PIECE_BYTES];
    size_t size = piece_fill(b, piece);

    if (size > 0) {
        switch (dx_exchange_write(x, dx_bytes_at(piece, size))) {
        case DX_SEND_QUEUED: break;
        case DX_SEND_BUSY: *b = before; break; /* answers to earlier requests are still queued */
        case DX_SEND_CLOSED: return;           /* on_gone follows */
        }
    }
    if (b->is_over) {
        body_close(b);
        dx_exchange_end(x);
    } else {
        dx_exchange_want_room(x, send_piece, b);
    }
}

void dx_files_body_send(dx_exchange *x, dx_files_body *b)
{
    dx_exchange_on_gone(x, on_gone, b);
    send_piece(x, b);
}
