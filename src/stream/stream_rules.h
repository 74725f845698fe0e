/* What a stream remembers for the rules of its appends.
 * Is:     producers, idempotency keys, the last Stream-Seq: for stream_rules.c, and as facts for the store.
 * Memory: bounded by bytes; the oldest are forgotten first.   Threads: the home's.
 * SPDX-License-Identifier: MIT */
#ifndef DX_STREAM_STREAM_RULES_H
#define DX_STREAM_STREAM_RULES_H

#include "stream/stream.h"

struct dx_producer {
    dx_map_node node; /* in rules->producers; key: id */
    dx_list used;     /* in rules->producers_used: longest ago first */
    dx_list dirty;    /* in rules->producers_dirty: the store does not know it as it is */
    uint64_t epoch, sequence;
    uint64_t used_ms; /* wall clock */
    bool is_gone;     /* only in `dirty`: the store must forget it */
    uint8_t id[];
};

struct dx_used_key {
    dx_map_node node; /* in rules->keys */
    dx_list made;     /* in rules->keys_made: longest ago first */
    dx_list dirty;    /* in rules->keys_dirty */
    uint64_t hash;    /* of the messages */
    uint64_t until_ms;
    dx_offset next; /* as it was answered */
    uint8_t key[];
};

struct dx_stream_rules {
    dx_map producers, keys;
    dx_list producers_used, keys_made;
    dx_list producers_dirty, keys_dirty;
    size_t producers_bytes, keys_bytes;
    char *sequence; /* the last Stream-Seq */
    size_t sequence_size;
    bool is_sequence_dirty;
};

/* As many as are to be committed: memory of its own. */
typedef struct dx_facts {
    dx_store_fact *at;
    size_t count, capacity;
    uint8_t *bytes; /* all keys and values in a row */
    size_t size, room;
} dx_facts;

/* Puts in all that the store does not know yet, which then counts as known. False: no memory. */
DX_MUST_USE bool dx_rules_write_facts(dx_stream *s, dx_facts *facts);
/* One fact that the store has. False: no memory; what means nothing is passed over. */
DX_MUST_USE bool dx_rules_read_fact(dx_stream *s, const dx_store_fact *fact);
/* stream_rules.c: for reading; NULL: no memory. */
dx_producer *dx_rules_add_producer(dx_stream *s, dx_bytes id);
dx_used_key *dx_rules_add_key(dx_stream *s, dx_bytes key);
DX_MUST_USE bool dx_rules_set_sequence(dx_stream *s, dx_bytes sequence);

DX_MUST_USE bool dx_facts_add(dx_facts *facts, uint8_t kind, dx_bytes name, dx_bytes value);
DX_MUST_USE bool dx_facts_add_number(dx_facts *facts, uint8_t kind, uint64_t number);
/* The views in `at` are good only after this, and until the next call. */
void dx_facts_finish(dx_facts *facts);
void dx_facts_deinit(dx_facts *facts);

#endif
