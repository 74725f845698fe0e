/* The members of one stream, as its home keeps them.
 * Is:     who is there, in the order of coming; what has changed since it was told; the JSON of pages and
 *         digests.
 * Is not: connections, workers, and when to tell (presence_home.c).
 * Memory: a block for each member and one for its data; a slot of 16 bytes. dx_room_bytes counts all of it.
 * Threads: its home's.
 * SPDX-License-Identifier: MIT */
#ifndef DX_STREAM_PRESENCE_ROOM_H
#define DX_STREAM_PRESENCE_ROOM_H

#include "base/buffer.h"
#include "base/list.h"
#include "base/map.h"
#include "stream/presence.h"

/* A member. Who has left stays until that was told. */
typedef struct dx_person {
    dx_map_node node; /* in room->persons; key: id */
    dx_list changed;  /* in room->changed */
    uint64_t number;  /* of its slot */
    uint32_t connections_count;
    bool is_told;      /* the others know that it is there, */
    bool is_data_told; /* and what its data are */
    uint16_t data_size;
    char *data;
    char id[];
} dx_person;

typedef struct dx_room_slot {
    uint64_t number;   /* rising */
    dx_person *person; /* NULL: it has left */
} dx_room_slot;

typedef struct dx_room {
    dx_map persons;
    uint32_t count;  /* with a connection */
    dx_list changed; /* of dx_person.changed */
    dx_room_slot *slots;
    size_t slots_count, slots_capacity, holes_count;
    uint64_t number_last;
    size_t bytes; /* of persons and slots */
} dx_room;

void dx_room_init(dx_room *room, const uint64_t seed[2]);
void dx_room_deinit(dx_room *room);

size_t dx_room_bytes(const dx_room *room);

/* One connection more. ret: borrowed until it has left. Errors: FULL, MEMORY; nothing was changed. */
DX_MUST_USE dx_presence_status dx_room_enter(dx_room *room, dx_bytes id, dx_bytes data,
                                             dx_person **ret);
/* Errors: MEMORY; nothing was changed. */
DX_MUST_USE dx_presence_status dx_room_set(dx_room *room, dx_person *person, dx_bytes data);
/* One connection fewer. */
void dx_room_leave(dx_room *room, dx_person *person);

static inline bool dx_room_has_changed(const dx_room *room)
{
    return !dx_list_is_empty(&room->changed);
}

/* Writes what has changed and was not told yet; nothing if that comes to nothing. False: no memory. */
DX_MUST_USE bool dx_room_digest(const dx_room *room, dx_buffer *text);
/* All changes are told. */
void dx_room_settle(dx_room *room);

/* Writes the page for `read`, and sets what it found. False: no memory. */
DX_MUST_USE bool dx_room_page(const dx_room *room, dx_presence_read *read);

#endif
