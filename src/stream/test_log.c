/* Tests of the log: sequences, retention, the ring, and who holds a message.
 * SPDX-License-Identifier: MIT */
#include "stream/log.h"
#include "tests/tap.h"

static const dx_retention keep_all = {UINT32_MAX, UINT64_MAX, UINT64_MAX};

static dx_message *message_of(size_t size)
{
    static const uint8_t zeros[1000];
    dx_message *message = dx_message_new(dx_bytes_at(zeros, size), 0);

    if (message == NULL)
        abort();
    return message;
}

static void append_at(dx_log_ring *log, size_t size, uint64_t now_ms, const dx_retention *keep)
{
    CHECK(dx_log_reserve(log, 1, keep));
    dx_log_append(log, message_of(size), now_ms, keep);
}

static void append(dx_log_ring *log, size_t size, const dx_retention *keep)
{
    append_at(log, size, 0, keep);
}

/* What is true of every log: each retained message is at its place, and the sums are right. */
static void check_log(const dx_log_ring *log)
{
    uint64_t bytes = 0;

    CHECK_INT(dx_log_first(log), log->tail + 1 - log->count);
    for (uint64_t n = dx_log_first(log); n <= log->tail; n++) {
        CHECK_INT(dx_log_at(log, n)->sequence, n);
        bytes += dx_log_at(log, n)->size;
    }
    CHECK_INT(log->bytes, bytes);
}

TEST("an empty log begins at 1 and ends at 0")
{
    dx_log_ring log = {0};

    CHECK_INT(dx_log_first(&log), 1);
    CHECK_INT(log.tail, 0);
    dx_log_trim(&log, 1000, &(dx_retention){0, 0, 0});
    check_log(&log);
    dx_log_deinit(&log);
}

TEST("messages get the sequences 1, 2, 3, … while the ring grows and goes round")
{
    dx_log_ring log = {0};
    const dx_retention keep = {37, UINT64_MAX, UINT64_MAX};

    for (uint64_t n = 1; n <= 500; n++) {
        append(&log, n % 7, &keep);
        CHECK_INT(log.tail, n);
        CHECK_INT(log.count, n < 37 ? n : 37);
        check_log(&log);
    }
    CHECK_INT(dx_log_first(&log), 464);
    CHECK(log.capacity <= 64);
    dx_log_deinit(&log);
    CHECK_INT(log.count, 0);
}

TEST("growing keeps what the ring holds, wherever its first message lies")
{
    for (uint64_t start = 0; start < 9; start++) {
        dx_log_ring log = {0};
        const dx_retention one = {1, UINT64_MAX, UINT64_MAX};
        for (uint64_t n = 0; n < start; n++)
            append(&log, 1, &one);
        for (int i = 0; i < 40; i++) {
            append(&log, (size_t)i, &keep_all);
            check_log(&log);
        }
        CHECK_INT(log.count, 40 + (start > 0));
        dx_log_deinit(&log);
    }
}

TEST("room for many is made at once, and for no more than retention keeps")
{
    dx_log_ring log = {0};
    const dx_retention keep = {100, UINT64_MAX, UINT64_MAX};

    CHECK(dx_log_reserve(&log, 50, &keep));
    uint32_t capacity = log.capacity;
    CHECK(capacity >= 50);
    for (int i = 0; i < 50; i++)
        dx_log_append(&log, message_of(1), 0, &keep);
    CHECK_INT(log.capacity, capacity);
    CHECK(dx_log_reserve(&log, 1000000, &keep));
    CHECK(log.capacity >= 101 && log.capacity <= 256);
    for (int i = 0; i < 1000; i++)
        dx_log_append(&log, message_of(1), 0, &keep);
    check_log(&log);
    CHECK_INT(log.count, 100);
    dx_log_deinit(&log);
}

TEST("by bytes: the oldest go, but the newest stays even if it alone is too large")
{
    dx_log_ring log = {0};
    const dx_retention keep = {1000, 100, UINT64_MAX};

    for (int i = 0; i < 10; i++)
        append(&log, 30, &keep);
    CHECK_INT(log.count, 3);
    append(&log, 10, &keep);
    CHECK_INT(log.count, 4); /* exactly 100 */
    append(&log, 500, &keep);
    CHECK_INT(log.count, 1);
    CHECK_INT(log.bytes, 500);
    append(&log, 1, &keep);
    CHECK_INT(log.count, 1);
    CHECK_INT(log.bytes, 1);
    check_log(&log);
    dx_log_deinit(&log);
}

TEST(
    "by age: exactly as old as allowed stays, one millisecond more goes, and the last one goes too")
{
    dx_log_ring log = {0};
    const dx_retention keep = {1000, UINT64_MAX, 50};

    append_at(&log, 1, 100, &keep);
    append_at(&log, 1, 120, &keep);
    dx_log_trim(&log, 150, &keep);
    CHECK_INT(log.count, 2);
    dx_log_trim(&log, 151, &keep);
    CHECK_INT(log.count, 1);
    dx_log_trim(&log, 171, &keep);
    CHECK_INT(log.count, 0);
    CHECK_INT(dx_log_first(&log), 3);
    append_at(&log, 1, 200, &keep);
    CHECK_INT(dx_log_at(&log, 3)->time_ms, 200);
    check_log(&log);
    dx_log_deinit(&log);
}

TEST("a message that the log has dropped lives as long as somebody holds it")
{
    dx_log_ring log = {0};
    const dx_retention keep = {1, UINT64_MAX, UINT64_MAX};

    append(&log, 5, &keep);
    dx_message *held = dx_message_ref(dx_log_at(&log, 1));
    CHECK_INT(atomic_load(&held->refs), 2);
    append(&log, 5, &keep);
    CHECK_INT(atomic_load(&held->refs), 1);
    CHECK_INT(held->sequence, 1);
    dx_message_unref(held);
    CHECK_INT(atomic_load(&dx_log_at(&log, 2)->refs), 1);
    dx_log_deinit(&log);
    dx_message_unref(NULL);
}
