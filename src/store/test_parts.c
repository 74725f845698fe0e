/* Tests of the store's pure parts: checksums, numbers, runs, the journal's bytes.
 * SPDX-License-Identifier: MIT */
#include "store/checked_vfs.h"
#include "store/crc32c.h"
#include "store/journal.h"
#include "store/varint.h"
#include "tests/tap.h"

static void check_sum(dx_bytes in, uint32_t want)
{
    CHECK_INT(dx_crc32c(0, in), want);
    CHECK_INT(dx_crc32c_portable(0, in), want);
}

TEST("RFC 3720 B.4 CRC-32C of the examples")
{
    uint8_t bytes[48];

    memset(bytes, 0, 32);
    check_sum(dx_bytes_at(bytes, 32), 0x8a9136aa);
    memset(bytes, 0xff, 32);
    check_sum(dx_bytes_at(bytes, 32), 0x62a8ab43);
    for (uint8_t i = 0; i < 32; i++)
        bytes[i] = i;
    check_sum(dx_bytes_at(bytes, 32), 0x46dd794e);
    for (uint8_t i = 0; i < 32; i++)
        bytes[i] = (uint8_t)(31 - i);
    check_sum(dx_bytes_at(bytes, 32), 0x113fdb5c);
    static const uint8_t command[48] = {0x01, 0xc0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,    0, 0, 0, 0,
                                        0x14, 0,    0, 0, 0, 0, 4, 0, 0, 0, 0, 0x14, 0, 0, 0, 0x18,
                                        0x28, 0,    0, 0, 0, 0, 0, 0, 2, 0, 0, 0,    0, 0, 0, 0};
    check_sum(dx_bytes_at(command, 48), 0xd9963a56);
    check_sum(DX_BYTES("123456789"), 0xe3069283);
    check_sum((dx_bytes){0}, 0);
}

TEST("a checksum goes on where it was, and both ways give the same at every length and place")
{
    uint8_t bytes[600];

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 37 + i / 256);
    for (size_t from = 0; from < 9; from++)
        for (size_t size = 0; size < sizeof bytes - from; size += 1 + size / 20) {
            dx_bytes in = dx_bytes_at(bytes + from, size);
            uint32_t whole = dx_crc32c(7, in);
            CHECK_INT(dx_crc32c_portable(7, in), whole);
            uint32_t half = dx_crc32c(7, dx_bytes_at(in.at, size / 3));
            CHECK_INT(dx_crc32c(half, dx_bytes_at(in.at + size / 3, size - size / 3)), whole);
        }
    CHECK_INT(dx_crc32c_u64(0, 0x0807060504030201), dx_crc32c(0, DX_BYTES("\1\2\3\4\5\6\7\10")));
}

TEST("numbers of all sizes are read as they were written, and cut ones are not")
{
    uint8_t bytes[DX_VARINT_BYTES_MAX];

    for (int shift = 0; shift < 64; shift++)
        for (uint64_t add = 0; add < 3; add++) {
            uint64_t value = (UINT64_C(1) << shift) + add - 1, got = 0;
            size_t size = dx_varint_write(bytes, value);
            dx_bytes in = dx_bytes_at(bytes, size);
            CHECK(dx_varint_read(&in, &got) && got == value && in.size == 0);
            for (size_t cut = 0; cut < size; cut++) {
                in = dx_bytes_at(bytes, cut);
                CHECK(!dx_varint_read(&in, &got) && in.size == cut);
            }
        }
    dx_bytes large = DX_BYTES("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"), part;
    uint64_t got;
    CHECK(!dx_varint_read(&large, &got));
    dx_bytes endless = DX_BYTES("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01");
    CHECK(!dx_varint_read(&endless, &got));
    dx_bytes taken = DX_BYTES("\x03"
                              "abcd");
    CHECK(dx_varint_take(&taken, &part) && part.size == 3 && taken.size == 1);
    taken = DX_BYTES("\x03"
                     "ab");
    CHECK(!dx_varint_take(&taken, &part) && taken.size == 3);
}

/* ---- runs ---- */

static dx_message *make(uint64_t sequence, uint64_t epoch, uint64_t time_ms, const char *text)
{
    dx_message *message = dx_message_new(dx_bytes_of(text), sequence % 2 ? sequence * 1000 : 0);

    message->kind = (uint8_t)(sequence % 5);
    message->is_last = sequence % 3 == 0;
    message->epoch = epoch;
    message->sequence = sequence;
    message->time_ms = time_ms;
    return message;
}

static void check_item(dx_run_reader *reader, const dx_message *want)
{
    dx_run_item item;

    CHECK_INT(dx_run_next(reader, &item), DX_RUN_ITEM);
    CHECK_INT(item.kind, want->kind);
    CHECK_INT(item.is_last, want->is_last);
    CHECK(item.epoch == want->epoch && item.time_ms == want->time_ms &&
          item.origin == want->origin);
    CHECK_MEM(item.payload.at, item.payload.size, want->payload, want->size);
    dx_message *copy = dx_run_message(&item, want->sequence);
    CHECK(copy && copy->sequence == want->sequence && copy->origin == want->origin &&
          copy->size == want->size);
    dx_message_unref(copy);
}

TEST(
    "messages are read back as they were, also where the epoch changes, time steps back, and pieces were joined")
{
    dx_message *messages[] = {make(7, 3, 100, "one"),       make(8, 3, 100, ""),
                              make(9, 3, 170, "three"),     make(10, UINT64_MAX, 169, "four"),
                              make(11, UINT64_MAX, 4, "5"), make(12, 0, UINT64_MAX, "six")};
    dx_buffer bytes = {0};

    CHECK(dx_run_append(&bytes, messages, 3));
    CHECK(dx_run_append(&bytes, messages + 3, 2));
    CHECK(dx_run_append(&bytes, messages + 5, 1));
    CHECK(dx_run_append(&bytes, messages, 0));
    dx_run_reader reader = {.rest = dx_buffer_view(&bytes)};
    dx_run_item item;
    for (size_t i = 0; i < DX_COUNT(messages); i++)
        check_item(&reader, messages[i]);
    CHECK_INT(dx_run_next(&reader, &item), DX_RUN_END);
    for (size_t cut = 0; cut < bytes.size;
         cut++) { /* a prefix ends cleanly or is damaged, and never gives more */
        size_t count = 0;
        dx_run_status status;
        reader = (dx_run_reader){.rest = dx_bytes_at(bytes.at, cut)};
        while ((status = dx_run_next(&reader, &item)) == DX_RUN_ITEM)
            count++;
        CHECK(count < DX_COUNT(messages));
        CHECK(status == DX_RUN_DAMAGED || reader.rest.size == 0);
    }
    reader =
        (dx_run_reader){.rest = DX_BYTES("\1\0\0")}; /* the first one says nothing of its epoch */
    CHECK_INT(dx_run_next(&reader, &item), DX_RUN_DAMAGED);
    for (size_t i = 0; i < DX_COUNT(messages); i++)
        dx_message_unref(messages[i]);
    dx_buffer_clear(&bytes);
}

TEST("a run's checksum depends on what it holds and on where it belongs")
{
    uint32_t sum = dx_run_sum(1, 2, 3, 4, DX_BYTES("data"));

    CHECK(sum != dx_run_sum(2, 2, 3, 4, DX_BYTES("data")));
    CHECK(sum != dx_run_sum(1, 3, 3, 4, DX_BYTES("data")));
    CHECK(sum != dx_run_sum(1, 2, 4, 4, DX_BYTES("data")));
    CHECK(sum != dx_run_sum(1, 2, 3, 5, DX_BYTES("data")));
    CHECK(sum != dx_run_sum(1, 2, 3, 4, DX_BYTES("date")));
    CHECK(dx_journal_sum(1, 2, DX_BYTES("x")) != dx_journal_sum(2, 2, DX_BYTES("x")));
}

/* ---- the journal ---- */

static void check_entry(dx_bytes *in, const dx_store_commit *want)
{
    dx_journal_entry got;
    dx_store_fact fact;

    CHECK(dx_journal_read(in, &got));
    CHECK(got.commit.id == want->id && got.commit.source == want->source);
    CHECK(got.commit.source_tail == want->source_tail && got.commit.first == want->first);
    CHECK(got.commit.is_deleted == want->is_deleted &&
          got.commit.is_path_freed == want->is_path_freed);
    CHECK(dx_bytes_equal(got.commit.path, want->path) &&
          dx_bytes_equal(got.commit.record, want->record));
    CHECK((got.commit.record.at != NULL) == (want->record.at != NULL));
    CHECK_INT(got.facts_count, want->facts_count);
    for (size_t i = 0; i < want->facts_count; i++)
        CHECK(dx_journal_fact(&got.facts, &fact) && dx_bytes_equal(fact.key, want->facts[i].key) &&
              dx_bytes_equal(fact.value, want->facts[i].value) &&
              fact.until_ms == want->facts[i].until_ms);
    CHECK_INT(got.messages_count, want->count);
    dx_run_reader reader = {.rest = got.run};
    for (size_t i = 0; i < want->count; i++)
        check_item(&reader, want->messages[i]);
    CHECK_INT(reader.rest.size, 0);
}

TEST("commits are read back from a row as they were, and no prefix of one is taken for it")
{
    dx_message *messages[] = {make(5, 1, 2, "five"), make(6, 1, 2, "six")};
    dx_store_fact facts[] = {{DX_BYTES("key"), DX_BYTES("value"), 0},
                             {DX_BYTES(""), DX_BYTES(""), UINT64_MAX}};
    dx_store_commit commits[] = {
        {.id = 1},
        {.id = UINT64_MAX,
         .path = DX_BYTES("/s/path"),
         .record = DX_BYTES(""),
         .source = 9,
         .source_tail = 8},
        {.id = 3, .facts = facts, .facts_count = 2, .messages = messages, .count = 2, .first = 4},
        {.id = 4, .is_deleted = true},
        {.id = 5, .is_path_freed = true, .record = DX_BYTES("record")},
    };
    dx_buffer row = {0};
    size_t ends[DX_COUNT(commits)];

    for (size_t i = 0; i < DX_COUNT(commits); i++) {
        CHECK(dx_journal_append(&row, &commits[i]));
        ends[i] = row.size;
    }
    dx_bytes in = dx_buffer_view(&row);
    for (size_t i = 0; i < DX_COUNT(commits); i++)
        check_entry(&in, &commits[i]);
    CHECK_INT(in.size, 0);
    for (size_t cut = 0; cut < row.size; cut++) {
        dx_journal_entry entry;
        size_t whole = 0;
        in = dx_bytes_at(row.at, cut);
        while (in.size > 0 && dx_journal_read(&in, &entry))
            whole++;
        CHECK(whole < DX_COUNT(commits) && (whole == 0 || ends[whole - 1] <= cut) &&
              ends[whole] > cut);
    }
    dx_message_unref(messages[0]), dx_message_unref(messages[1]);
    dx_buffer_clear(&row);
}

TEST("a page that is all zeros was never written; any other has a checksum")
{
    uint8_t page[DX_PAGE_BYTES] = {0};

    CHECK(dx_checked_page_is_right(page, 1));
    page[17] = 1;
    CHECK(!dx_checked_page_is_right(page, 1));
    uint32_t sum =
        dx_crc32c(dx_crc32c_u64(0, 5), dx_bytes_at(page, DX_PAGE_BYTES - DX_PAGE_RESERVED));
    memcpy(page + DX_PAGE_BYTES - DX_PAGE_RESERVED, &sum, sizeof sum);
    CHECK(dx_checked_page_is_right(page, 5));
    CHECK(!dx_checked_page_is_right(page, 6));
}
