/* What there is at one worker, for those who run the server.
 * Is:     counting topics, feeds and subscribers; finding streams in the order of their paths; a part at a time, so
 *         that a million of them stall nobody.
 * Is not: how the parts of all workers get together (serve/gather.h), streams that only the store has.
 * Memory: a listing has room for as many rows as it was asked for.
 * Threads: the hub's.
 * SPDX-License-Identifier: MIT */
#ifndef DX_STREAM_CENSUS_H
#define DX_STREAM_CENSUS_H

#include "stream/hub.h"

typedef struct dx_census {
    uint64_t cursor; /* 0 to begin with */
    uint64_t streams_count,
        cached_bytes; /* whose home this is; of their messages, that the store has, too */
    uint64_t topics_count, feeds_count, feed_bytes;
    uint64_t live_count;     /* subscribers that are fed; */
    uint64_t behind_count;   /* of them: that have not got all there is */
    uint64_t catching_count; /* subscribers that read the log */
    uint64_t lag_max;        /* messages that one of those is behind at most */
} dx_census;

/* Counts on. True: that was all. Cost: O(1024 topics and their subscribers that catch up). */
bool dx_hub_count(dx_hub *hub, dx_census *census);

/* A stream in a listing. */
typedef struct dx_listed {
    const dx_namespace *ns;
    dx_stream_info info;
    uint64_t memory_bytes; /* of payloads that are in memory */
    size_t path_size;
    char path[];
} dx_listed;

typedef struct dx_listing {
    dx_bytes after,
        prefix;       /* paths above `after` in byte order that begin with `prefix`; borrowed */
    uint64_t cursor;  /* 0 to begin with */
    dx_listed **rows; /* given, in order; released by dx_listing_release */
    size_t count, count_max; /* the first ones */
    bool is_out_of_memory;   /* some are missing */
} dx_listing;

/* Looks on. True: that was all. Cost: O(1024 streams). */
bool dx_hub_list(dx_hub *hub, dx_listing *listing);
void dx_listing_release(dx_listing *listing);

/* A stream in memory whose home this is; false: there is none. Its path is not copied. */
bool dx_hub_find(dx_hub *hub, dx_bytes path, dx_listed *ret);

/* True once its worker has ended. */
bool dx_hub_is_ended(const dx_hub *hub);

#endif
