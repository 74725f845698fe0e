/* Tests of the record and the facts of a stream, as the store keeps them.
 * SPDX-License-Identifier: MIT */
#include "stream/stream_store.h"
#include "stream/test_pair.h"
#include "stream/test_store.h"
#include "tests/tap.h"

#include <stdlib.h>

static dx_stream *stream_of(pair *p, const char *path)
{
    dx_stream *s = dx_stream_new(p->hubs[0], &p->ns, dx_bytes_of(path));

    if (s == NULL || !dx_kept_begin(s))
        abort();
    return s;
}

static dx_fork *fork_of(const char *source)
{
    dx_fork *f = calloc(1, sizeof *f + strlen(source));

    if (f == NULL)
        abort();
    f->source_size = (uint16_t)strlen(source);
    memcpy(f->source, source, f->source_size);
    f->source_identity = 0x1122334455667788;
    f->source_id = 9;
    f->at = (dx_offset){77, 3};
    f->more = UINT64_MAX;
    f->was_at_tail = f->is_kept = true;
    return f;
}

static void fill(dx_stream *s)
{
    static const dx_epoch_run runs[] = {{5, 0}, {8, 4}};

    CHECK_INT(dx_stream_set_type(s, DX_BYTES("text/plain; charset=utf-8"), DX_STREAM_TEXT),
              DX_STREAM_OK);
    s->lifetime = (dx_lifetime){DX_LIFETIME_UNTIL, 0, 1234567890123};
    s->epochs.older = malloc(sizeof runs);
    memcpy(s->epochs.older, runs, sizeof runs);
    s->epochs.older_count = 2;
    s->epochs.own = (dx_epoch_run){900, 12};
    s->fork = fork_of("/live/source");
    s->kept->is_closed = true;
}

TEST("a record that is read is what was written, and would be written the same")
{
    pair *p = pair_new(KEEP_ALL);
    dx_stream *a = stream_of(p, "/a"), *b = stream_of(p, "/b");
    size_t size = 0, again_size = 0;

    fill(a);
    uint8_t *record = dx_record_write(a, false, &size);
    CHECK_INT(dx_record_read(b, dx_bytes_at(record, size)), DX_RECORD_OK);
    CHECK(b->identity == a->identity && b->is_closed && !b->is_deleted);
    CHECK_BYTES(dx_stream_type(b), "text/plain; charset=utf-8");
    CHECK_INT(b->kind, DX_STREAM_TEXT);
    CHECK_INT(b->lifetime.until_ms, 1234567890123);
    static const uint64_t at[] = {0, 3, 4, 11, 12, UINT64_MAX}, epochs[] = {5, 5, 8, 8, 900, 900};
    for (size_t i = 0; i < DX_COUNT(at); i++)
        CHECK_INT(dx_epochs_at(&b->epochs, at[i]), epochs[i]);
    CHECK(b->fork && b->fork->is_kept && b->fork->was_at_tail && !b->fork->has_lifetime);
    CHECK(b->fork && b->fork->more == UINT64_MAX && b->fork->at.sequence == 3);
    b->kept->is_closed = true;
    uint8_t *again = dx_record_write(b, false, &again_size);
    CHECK_MEM(again, again_size, record, size);
    free(again);
    dx_stream_reset(b);
    again = dx_record_write(a, true, &again_size);
    CHECK_INT(dx_record_read(b, dx_bytes_at(again, again_size)), DX_RECORD_OK);
    CHECK(b->is_deleted);
    CHECK_INT(b->lifetime.kind, DX_LIFETIME_FOR_EVER); /* what is deleted does not expire */
    free(again);
    free(record);
    pair_free(p);
}

TEST("a record that is cut, too long, of another version or out of order is bad")
{
    pair *p = pair_new(KEEP_ALL);
    dx_stream *a = stream_of(p, "/a"), *b = stream_of(p, "/b");
    size_t size = 0;

    fill(a);
    uint8_t *record = dx_record_write(a, false, &size);
    for (size_t cut = 0; cut < size; cut++) {
        CHECK_INT(dx_record_read(b, dx_bytes_at(record, cut)), DX_RECORD_BAD);
        dx_stream_reset(b);
    }
    uint8_t *longer = calloc(1, size + 1);
    memcpy(longer, record, size);
    CHECK_INT(dx_record_read(b, dx_bytes_at(longer, size + 1)), DX_RECORD_BAD);
    dx_stream_reset(b);
    static const struct {
        size_t at;
        uint8_t byte;
    } rows[] = {{0, 2}, {1, 255}, {2, 4}, {11, 3}, {57, 200}}; /* the last: older_count */
    for (size_t i = 0; i < DX_COUNT(rows); i++) {
        memcpy(longer, record, size);
        longer[rows[i].at] = rows[i].byte;
        if (dx_record_read(b, dx_bytes_at(longer, size)) != DX_RECORD_BAD)
            TAP_FAIL("row %zu", i);
        dx_stream_reset(b);
    }
    a->epochs.older[1].from = 0;
    uint8_t *unordered = dx_record_write(a, false, &size);
    CHECK_INT(dx_record_read(b, dx_bytes_at(unordered, size)), DX_RECORD_BAD);
    free(unordered);
    free(longer);
    free(record);
    pair_free(p);
}

TEST("facts of a later version, cut or empty mean nothing")
{
    pair *p = pair_new(KEEP_ALL);
    dx_stream *s = stream_of(p, "/a");
    static const dx_store_fact facts[] = {
        {{0}, {0}, 0},
        {DX_BYTES("Znew"), DX_BYTES("value"), 0},
        {DX_BYTES("pid"), DX_BYTES("short"), 0},
        {DX_BYTES("kkey"), DX_BYTES("123456789012345678901234"), 1}, /* over long ago */
        {DX_BYTES("b"), DX_BYTES("short"), 0},
        {DX_BYTES("u"), DX_BYTES(""), 0},
    };

    for (size_t i = 0; i < DX_COUNT(facts); i++)
        CHECK(dx_rules_read_fact(s, &facts[i]));
    CHECK(s->rules == NULL);
    CHECK_INT(s->kept->bytes, 0);
    pair_free(p);
}
