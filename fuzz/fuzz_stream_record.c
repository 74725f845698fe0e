/* Records and facts of streams, as a damaged store may give them: what is taken would be written the same, and
 * its epochs rise; all else is refused and nothing is kept.
 * Input: two bytes, the size of the record; the record; then facts, each a byte for the size of its key, one
 * for that of its value, key and value.
 * SPDX-License-Identifier: MIT */
#include "fuzz/fuzz.h"
#include "stream/stream_store.h"

static void record_check(dx_stream *s, dx_bytes record)
{
    size_t size = 0;
    uint8_t *again = dx_record_write(s, s->is_deleted, &size);

    FUZZ_CHECK(again != NULL && dx_bytes_equal(dx_bytes_at(again, size), record));
    free(again);
    FUZZ_CHECK(s->identity != 0 && s->type_size == dx_stream_type(s).size);
    FUZZ_CHECK(dx_epochs_at(&s->epochs, UINT64_MAX) == s->epochs.own.epoch);
    for (uint32_t i = 0; i < s->epochs.older_count; i++) {
        uint64_t from = s->epochs.older[i].from;
        FUZZ_CHECK(dx_epochs_at(&s->epochs, from) == s->epochs.older[i].epoch);
        FUZZ_CHECK(i == 0 || dx_epochs_at(&s->epochs, from - 1) < s->epochs.older[i].epoch);
    }
}

static bool fact_read(dx_bytes *in, dx_store_fact *ret)
{
    uint8_t key_size, value_size;

    *ret = (dx_store_fact){.until_ms = 1000};
    return dx_bytes_u8(in, &key_size) && dx_bytes_u8(in, &value_size) &&
           dx_bytes_take(in, key_size, &ret->key) && dx_bytes_take(in, value_size, &ret->value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dx_bytes in = {data, size}, record;
    dx_streams *streams = calloc(1, sizeof *streams + sizeof(dx_hub));
    uint16_t record_size;

    FUZZ_CHECK(streams != NULL);
    dx_hub *hub = &streams->hubs[0];
    hub->all = streams;
    hub->is_ended = true; /* it needs no loop then: its time stands still */
    hub->wall_ms = 999;
    dx_kept kept = {0};
    dx_stream s = {.hub = hub, .kept = &kept};
    if (dx_bytes_u16(&in, &record_size) && dx_bytes_take(&in, record_size, &record)) {
        if (dx_record_read(&s, record) == DX_RECORD_OK) {
            kept.is_closed = s.is_closed;
            record_check(&s, record);
        }
        for (dx_store_fact fact; fact_read(&in, &fact);)
            FUZZ_CHECK(dx_rules_read_fact(&s, &fact));
    }
    dx_rules_free(s.rules);
    free(s.epochs.older);
    free(s.fork);
    free(s.type);
    free(streams);
    return 0;
}
