/* How far the write-ahead log was synced.
 * SPDX-License-Identifier: MIT */
#include "store/log_mark.h"

#include "store/checked_vfs.h"
#include "store/crc32c.h"
#include "store/db.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    HEAD_BYTES = 32, /* of the log: magic, version, page size, count, two salts, two checksums */
    FRAME_HEAD_BYTES = 24, /* page, size of the database, two salts, two checksums */
    FRAME_BYTES = FRAME_HEAD_BYTES + DX_PAGE_BYTES,
    SALTS_AT = 16, /* in the head */
    SALTS_BYTES = 8,
    MARK_BYTES = 16,    /* the salts, how many frames, a checksum of both */
    MAGIC = 0x377f0682, /* the lowest bit: whether words are summed up as big-endian ones */
};

static uint32_t read_u32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void write_u32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (24 - 8 * i));
}

static int open_beside(const char *path, const char *suffix, int flags)
{
    char beside[PATH_MAX];

    snprintf(beside, sizeof beside, "%s%s", path, suffix);
    return open(beside, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
}

/* ---- the log ---- */

typedef struct sums {
    bool is_big_endian;
    uint32_t a, b;
} sums;

/* size: a multiple of 8. */
static void sum_up(sums *s, const uint8_t *at, size_t size)
{
    for (size_t i = 0; i < size; i += 8) {
        uint32_t first = read_u32(at + i), second = read_u32(at + i + 4);
        s->a += (s->is_big_endian ? first : __builtin_bswap32(first)) + s->b;
        s->b += (s->is_big_endian ? second : __builtin_bswap32(second)) + s->a;
    }
}

static bool is_sum(const sums *s, const uint8_t *at)
{
    return s->a == read_u32(at) && s->b == read_u32(at + 4);
}

/* Whether as many frames as the mark says are as they were written. A log that was begun anew since is whole. */
static bool is_log_whole(int fd, const uint8_t mark[static MARK_BYTES])
{
    static const uint8_t never_written[HEAD_BYTES];
    uint8_t head[HEAD_BYTES] = {0}, frame[FRAME_BYTES];
    ssize_t got = pread(fd, head, sizeof head, 0);

    if (memcmp(head, never_written, sizeof head) == 0) /* all of it was carried over */
        return true;
    sums s = {.is_big_endian = head[3] & 1};
    sum_up(&s, head, HEAD_BYTES - 8);
    if (got != sizeof head || (read_u32(head) & ~1u) != MAGIC || !is_sum(&s, head + HEAD_BYTES - 8))
        return false;
    if (memcmp(head + SALTS_AT, mark, SALTS_BYTES) != 0)
        return true;
    for (uint32_t i = 0; i < read_u32(mark + SALTS_BYTES); i++) {
        if (pread(fd, frame, sizeof frame, HEAD_BYTES + (off_t)i * FRAME_BYTES) != sizeof frame)
            return false;
        sum_up(&s, frame, 8);
        sum_up(&s, frame + FRAME_HEAD_BYTES, DX_PAGE_BYTES);
        if (memcmp(frame + 8, mark, SALTS_BYTES) != 0 || !is_sum(&s, frame + 16))
            return false;
    }
    return true;
}

/* ---- the mark ---- */

static uint32_t sum_of(const uint8_t mark[static MARK_BYTES])
{
    return dx_crc32c(0, dx_bytes_at(mark, MARK_BYTES - 4));
}

static bool read_mark(const char *path, uint8_t mark[static MARK_BYTES])
{
    int fd = open_beside(path, "-mark", O_RDONLY);

    if (fd < 0)
        return false;
    ssize_t got = pread(fd, mark, MARK_BYTES, 0);
    close(fd);
    return got == MARK_BYTES && read_u32(mark + MARK_BYTES - 4) == sum_of(mark);
}

dx_err dx_log_mark_check(const char *path, char *why)
{
    uint8_t mark[MARK_BYTES];
    int fd = read_mark(path, mark) ? open_beside(path, "-wal", O_RDONLY) : -1;

    if (fd < 0) /* nothing to compare: after an orderly end there is no log */
        return DX_OK;
    bool is_whole = is_log_whole(fd, mark);
    close(fd);
    if (is_whole)
        return DX_OK;
    dx_why(
        why,
        "%s-wal is damaged, and what was acknowledged would be missing: restore the directory from a "
        "backup, or remove %s-mark to go on with what is left",
        path, path);
    return DX_ERR_CONFLICT;
}

void dx_log_mark_init(dx_log_mark *mark)
{
    *mark = (dx_log_mark){-1, -1};
}

void dx_log_mark_open(dx_log_mark *mark, const char *path)
{
    mark->fd = open_beside(path, "-mark", O_RDWR | O_CREAT);
    mark->log_fd = open_beside(path, "-wal", O_RDONLY);
}

void dx_log_mark_set(dx_log_mark *mark, uint32_t frames)
{
    uint8_t text[MARK_BYTES];

    if (mark->fd < 0 || pread(mark->log_fd, text, SALTS_BYTES, SALTS_AT) != SALTS_BYTES)
        return;
    write_u32(text + SALTS_BYTES, frames);
    write_u32(text + MARK_BYTES - 4, sum_of(text));
    (void)!pwrite(mark->fd, text, sizeof text, 0); /* if it fails the one before it stands */
}

void dx_log_mark_close(dx_log_mark *mark)
{
    if (mark->fd >= 0)
        close(mark->fd);
    if (mark->log_fd >= 0)
        close(mark->log_fd);
    dx_log_mark_init(mark);
}
