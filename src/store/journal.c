/* Commits as bytes.
 * SPDX-License-Identifier: MIT */
#include "store/journal.h"

#include "store/crc32c.h"
#include "store/varint.h"

enum {
    HAS_PATH = 1,
    HAS_SOURCE = 2,
    HAS_RECORD = 4,
    HAS_FIRST = 8,
    HAS_FACTS = 16,
    HAS_MESSAGES = 32,
    IS_PATH_FREED = 64,
    IS_DELETED = 128,
};

static uint8_t flags_of(const dx_store_commit *commit)
{
    return (uint8_t)((commit->path.size ? HAS_PATH : 0) | (commit->source ? HAS_SOURCE : 0) |
                     (commit->record.at ? HAS_RECORD : 0) | (commit->first ? HAS_FIRST : 0) |
                     (commit->facts_count ? HAS_FACTS : 0) | (commit->count ? HAS_MESSAGES : 0) |
                     (commit->is_path_freed ? IS_PATH_FREED : 0) |
                     (commit->is_deleted ? IS_DELETED : 0));
}

static bool put_number(dx_buffer *to, uint64_t value)
{
    uint8_t at[DX_VARINT_BYTES_MAX];
    return dx_buffer_append(to, dx_bytes_at(at, dx_varint_write(at, value)));
}

static bool put_bytes(dx_buffer *to, dx_bytes bytes)
{
    return put_number(to, bytes.size) && dx_buffer_append(to, bytes);
}

static bool put_facts(dx_buffer *to, const dx_store_commit *commit)
{
    if (!put_number(to, commit->facts_count))
        return false;
    for (size_t i = 0; i < commit->facts_count; i++) {
        const dx_store_fact *fact = &commit->facts[i];
        if (!put_bytes(to, fact->key) || !put_bytes(to, fact->value) ||
            !put_number(to, fact->until_ms))
            return false;
    }
    return true;
}

static bool put_commit(dx_buffer *to, const dx_store_commit *commit, uint8_t flags)
{
    return put_number(to, commit->id) && dx_buffer_append(to, dx_bytes_at(&flags, 1)) &&
           (!(flags & HAS_PATH) || put_bytes(to, commit->path)) &&
           (!(flags & HAS_SOURCE) ||
            (put_number(to, commit->source) && put_number(to, commit->source_tail))) &&
           (!(flags & HAS_RECORD) || put_bytes(to, commit->record)) &&
           (!(flags & HAS_FIRST) || put_number(to, commit->first)) &&
           (!(flags & HAS_FACTS) || put_facts(to, commit)) &&
           (!(flags & HAS_MESSAGES) ||
            (put_number(to, commit->messages[0]->sequence) && put_number(to, commit->count)));
}

/* The size of the run is not known before it is there: its number has a fixed width. */
static bool put_run(dx_buffer *to, const dx_store_commit *commit)
{
    enum { WIDTH = 5 };
    size_t at = to->size;

    if (!dx_buffer_append(to, dx_bytes_at((uint8_t[WIDTH]){0}, WIDTH)) ||
        !dx_run_append(to, commit->messages, commit->count))
        return false;
    size_t size = to->size - at - WIDTH;
    for (size_t i = 0; i < WIDTH; i++, size >>= 7)
        to->at[at + i] = (uint8_t)((size & 0x7f) | (i + 1 < WIDTH ? 0x80 : 0));
    return size == 0;
}

bool dx_journal_append(dx_buffer *to, const dx_store_commit *commit)
{
    size_t before = to->size;

    if (put_commit(to, commit, flags_of(commit)) && (commit->count == 0 || put_run(to, commit)))
        return true;
    to->size = before;
    return false;
}

bool dx_journal_fact(dx_bytes *facts, dx_store_fact *ret)
{
    dx_bytes cur = *facts;
    dx_store_fact fact;

    if (!dx_varint_take(&cur, &fact.key) || !dx_varint_take(&cur, &fact.value) ||
        !dx_varint_read(&cur, &fact.until_ms))
        return false;
    *facts = cur;
    *ret = fact;
    return true;
}

static bool read_facts(dx_bytes *cur, dx_journal_entry *entry)
{
    dx_store_fact fact;
    uint64_t count;

    if (!dx_varint_read(cur, &count))
        return false;
    dx_bytes facts = *cur;
    for (uint64_t i = 0; i < count; i++)
        if (!dx_journal_fact(cur, &fact))
            return false;
    entry->facts = dx_bytes_at(facts.at, facts.size - cur->size);
    entry->facts_count = (size_t)count;
    return true;
}

static bool read_run(dx_bytes *cur, dx_journal_entry *entry)
{
    uint64_t count;

    if (!dx_varint_read(cur, &entry->sequence) || !dx_varint_read(cur, &count) ||
        !dx_varint_take(cur, &entry->run))
        return false;
    entry->messages_count = (size_t)count;
    return count > 0 && count <= entry->run.size;
}

bool dx_journal_read(dx_bytes *in, dx_journal_entry *ret)
{
    dx_journal_entry entry = {0};
    dx_store_commit *commit = &entry.commit;
    dx_bytes cur = *in;
    uint8_t flags;

    if (!dx_varint_read(&cur, &commit->id) || !dx_bytes_u8(&cur, &flags) ||
        (flags & HAS_PATH && !dx_varint_take(&cur, &commit->path)) ||
        (flags & HAS_SOURCE &&
         (!dx_varint_read(&cur, &commit->source) || !dx_varint_read(&cur, &commit->source_tail))) ||
        (flags & HAS_RECORD && !dx_varint_take(&cur, &commit->record)) ||
        (flags & HAS_FIRST && !dx_varint_read(&cur, &commit->first)) ||
        (flags & HAS_FACTS && !read_facts(&cur, &entry)) ||
        (flags & HAS_MESSAGES && !read_run(&cur, &entry)))
        return false;
    commit->is_path_freed = flags & IS_PATH_FREED;
    commit->is_deleted = flags & IS_DELETED;
    *in = cur;
    *ret = entry;
    return true;
}

uint32_t dx_journal_sum(uint64_t id, uint64_t life, dx_bytes data)
{
    return dx_crc32c(dx_crc32c_u64(dx_crc32c_u64(0, id), life), data);
}
