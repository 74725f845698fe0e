/* The members of one stream.
 * SPDX-License-Identifier: MIT */
#include "stream/presence_room.h"

#include "base/assert.h"
#include "codec/json.h"

#include <stdio.h>
#include <stdlib.h>

enum { SLOTS_MIN = 16, PAGE_BYTES_MAX = 262144 };

/* ---- slots: the order of coming --------------------------------------------------------------- */

static void slots_resize(dx_room *room, dx_room_slot *slots, size_t capacity)
{
    room->bytes += (capacity - room->slots_capacity) * sizeof *slots;
    room->slots = slots;
    room->slots_capacity = capacity;
}

static void slots_close_holes(dx_room *room)
{
    size_t kept = 0;

    for (size_t i = 0; i < room->slots_count; i++)
        if (room->slots[i].person)
            room->slots[kept++] = room->slots[i];
    room->slots_count = kept;
    room->holes_count = 0;
}

/* Room for one more. At least as many slots were filled, or emptied, since the last time as are moved. */
static bool slots_reserve(dx_room *room)
{
    if (room->slots_count < room->slots_capacity)
        return true;
    if (room->holes_count > room->slots_count / 2) {
        slots_close_holes(room);
        return true;
    }
    size_t capacity = room->slots_capacity ? room->slots_capacity * 2 : SLOTS_MIN;
    dx_room_slot *slots = realloc(room->slots, capacity * sizeof *slots);
    if (slots == NULL)
        return false;
    slots_resize(room, slots, capacity);
    return true;
}

/* Index of the first slot whose number is above `number`. */
static size_t slot_after(const dx_room *room, uint64_t number)
{
    size_t low = 0, high = room->slots_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (room->slots[middle].number <= number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void slot_empty(dx_room *room, const dx_person *person)
{
    dx_room_slot *slot = &room->slots[slot_after(room, person->number) - 1];

    dx_assert(slot->person == person);
    slot->person = NULL;
    room->holes_count++;
    size_t used = room->slots_count - room->holes_count;
    if (used > room->slots_capacity / 4 || room->slots_capacity == SLOTS_MIN)
        return;
    slots_close_holes(room); /* a crowd has left */
    size_t capacity = room->slots_capacity / 2;
    dx_room_slot *slots = realloc(room->slots, capacity * sizeof *slots);
    if (slots)
        slots_resize(room, slots, capacity);
}

/* ---- persons ---------------------------------------------------------------------------------- */

void dx_room_init(dx_room *room, const uint64_t seed[2])
{
    *room = (dx_room){0};
    dx_map_init(&room->persons, seed);
    dx_list_init(&room->changed);
}

static size_t person_bytes(const dx_person *person)
{
    return sizeof *person + person->node.key.size + person->data_size;
}

static void person_free(dx_room *room, dx_person *person)
{
    room->bytes -= person_bytes(person);
    dx_map_remove(&room->persons, &person->node);
    dx_list_remove(&person->changed);
    free(person->data);
    free(person);
}

size_t dx_room_bytes(const dx_room *room)
{
    return room->bytes + room->persons.buckets_count * sizeof *room->persons.buckets;
}

void dx_room_deinit(dx_room *room)
{
    for (dx_map_node *n; (n = dx_map_next(&room->persons, NULL)) != NULL;)
        person_free(room, DX_CONTAINER(n, dx_person, node));
    dx_map_deinit(&room->persons);
    free(room->slots);
    *room = (dx_room){0};
}

static dx_person *person_new(dx_room *room, dx_bytes id)
{
    dx_person *person = slots_reserve(room) ? calloc(1, sizeof *person + id.size) : NULL;

    if (person == NULL)
        return NULL;
    memcpy(person->id, id.at, id.size);
    person->node.key = dx_bytes_at(person->id, id.size);
    dx_list_init(&person->changed);
    if (!dx_map_insert(&room->persons, &person->node)) {
        free(person);
        return NULL;
    }
    person->number = ++room->number_last;
    room->slots[room->slots_count++] = (dx_room_slot){person->number, person};
    room->bytes += person_bytes(person);
    return person;
}

static void change(dx_room *room, dx_person *person)
{
    if (dx_list_is_empty(&person->changed))
        dx_list_append(&room->changed, &person->changed);
}

/* It has to stand on one line: JSON has control bytes as blanks only. */
static void copy_line(char *to, dx_bytes text)
{
    for (size_t i = 0; i < text.size; i++)
        to[i] = text.at[i] < ' ' ? ' ' : (char)text.at[i];
}

dx_presence_status dx_room_set(dx_room *room, dx_person *person, dx_bytes data)
{
    char *copy = NULL;

    data = dx_json_trim(data);
    if (data.size > 0 && (copy = malloc(data.size)) == NULL)
        return DX_PRESENCE_MEMORY;
    copy_line(copy, data);
    if (dx_bytes_equal(dx_bytes_at(copy, data.size),
                       dx_bytes_at(person->data, person->data_size))) {
        free(copy);
        return DX_PRESENCE_OK;
    }
    room->bytes += data.size;
    room->bytes -= person->data_size;
    free(person->data);
    person->data = copy;
    person->data_size = (uint16_t)data.size;
    person->is_data_told = false;
    change(room, person);
    return DX_PRESENCE_OK;
}

static void person_drop(dx_room *room, dx_person *person)
{
    slot_empty(room, person);
    person_free(room, person);
}

dx_presence_status dx_room_enter(dx_room *room, dx_bytes id, dx_bytes data, dx_person **ret)
{
    dx_map_node *node = dx_map_find(&room->persons, id);
    dx_person *person = node ? DX_CONTAINER(node, dx_person, node) : NULL;

    if (person == NULL && room->persons.count >= DX_PRESENCE_MEMBERS_MAX)
        return DX_PRESENCE_FULL;
    if (person == NULL && (person = person_new(room, id)) == NULL)
        return DX_PRESENCE_MEMORY;
    bool is_first = person->connections_count == 0; /* another's data stay if it brings none */
    if ((data.size > 0 || is_first) && dx_room_set(room, person, data) != DX_PRESENCE_OK) {
        if (node == NULL)
            person_drop(room, person);
        return DX_PRESENCE_MEMORY;
    }
    person->connections_count++;
    if (is_first) {
        room->count++;
        change(room, person);
    }
    *ret = person;
    return DX_PRESENCE_OK;
}

void dx_room_leave(dx_room *room, dx_person *person)
{
    dx_assert(person->connections_count > 0);
    if (--person->connections_count > 0)
        return;
    room->count--;
    change(room, person);
}

void dx_room_settle(dx_room *room)
{
    for (dx_list *l; (l = dx_list_take_first(&room->changed)) != NULL;) {
        dx_person *person = DX_CONTAINER(l, dx_person, changed);
        person->is_told = person->is_data_told = true;
        if (person->connections_count == 0)
            person_drop(room, person);
    }
}

/* ---- JSON ------------------------------------------------------------------------------------- */

static bool put(dx_buffer *text, const char *piece)
{
    return dx_buffer_append(text, dx_bytes_of(piece));
}

static bool put_number(dx_buffer *text, const char *name, size_t number)
{
    char piece[48];

    snprintf(piece, sizeof piece, "%s%zu", name, number);
    return put(text, piece);
}

static bool put_string(dx_buffer *text, dx_bytes string)
{
    size_t size = 6 * string.size + 2;

    if (!dx_buffer_reserve(text, size))
        return false;
    text->size += dx_json_write_string(string, text->at + text->size, size);
    return true;
}

static bool put_person(dx_buffer *text, const dx_person *person)
{
    if (!put(text, "{\"id\":") || !put_string(text, person->node.key))
        return false;
    if (person->data_size > 0 &&
        (!put(text, ",\"data\":") ||
         !dx_buffer_append(text, dx_bytes_at(person->data, person->data_size))))
        return false;
    return put(text, "}");
}

static bool is_joining(const dx_person *person)
{
    return person->connections_count > 0 && !(person->is_told && person->is_data_told);
}

static bool is_leaving(const dx_person *person)
{
    return person->connections_count == 0 && person->is_told;
}

/* The first of those who join, or who leave. *more grows by how many are left out. */
static bool put_changes(const dx_room *room, bool joins, dx_buffer *text, size_t *more)
{
    size_t count = 0;

    for (const dx_list *l = room->changed.next; l != &room->changed; l = l->next) {
        const dx_person *person = DX_CONTAINER(l, dx_person, changed);
        if (!(joins ? is_joining(person) : is_leaving(person)))
            continue;
        if (count++ >= DX_PRESENCE_LISTED_MAX)
            continue;
        if ((count > 1 && !put(text, ",")) ||
            !(joins ? put_person(text, person) : put_string(text, person->node.key)))
            return false;
    }
    if (count > DX_PRESENCE_LISTED_MAX)
        *more += count - DX_PRESENCE_LISTED_MAX;
    return true;
}

static bool is_worth_telling(const dx_room *room)
{
    for (const dx_list *l = room->changed.next; l != &room->changed; l = l->next) {
        const dx_person *person = DX_CONTAINER(l, dx_person, changed);
        if (is_joining(person) || is_leaving(person))
            return true;
    }
    return false;
}

bool dx_room_digest(const dx_room *room, dx_buffer *text)
{
    size_t more = 0;

    if (!is_worth_telling(room))
        return true;
    return put(text, "{\"join\":[") && put_changes(room, true, text, &more) &&
           put(text, "],\"leave\":[") && put_changes(room, false, text, &more) &&
           put_number(text, "],\"count\":", room->count) &&
           (more == 0 || put_number(text, ",\"more\":", more)) && put(text, "}");
}

bool dx_room_page(const dx_room *room, dx_presence_read *read)
{
    dx_buffer text = {0};
    uint64_t next = 0;
    uint32_t count = 0;
    bool is_good = put(&text, "[");

    for (size_t i = slot_after(room, read->after); i < room->slots_count && is_good; i++) {
        const dx_person *person = room->slots[i].person;
        if (person == NULL || person->connections_count == 0)
            continue;
        if (count == read->count_max || text.size > PAGE_BYTES_MAX) {
            next = room->slots[i].number - 1;
            break;
        }
        is_good = (count++ == 0 || put(&text, ",")) && put_person(&text, person);
    }
    if (!is_good || !put(&text, "]")) {
        dx_buffer_clear(&text);
        return false;
    }
    read->count = room->count;
    read->next = read->count_max > 0 ? next : 0;
    read->text = text.at;
    read->text_size = text.size;
    return true;
}
