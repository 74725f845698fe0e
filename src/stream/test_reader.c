/* Readers that are no connections: see test_reader.h.
 * SPDX-License-Identifier: MIT */
#include "stream/test_reader.h"

#include "stream/feed_chain.h"

#include <stdio.h>
#include <stdlib.h>

enum { HEAD_BYTES = 12, PAGE_COUNT = 7 };

static const uint64_t note_bit = (uint64_t)1 << 63;

/* ---- the wire: sequence (or number of a note), size, and bytes that follow from them ------------- */

static uint8_t byte_of(uint64_t sequence, size_t index)
{
    return (uint8_t)(sequence * 31 + index * 7);
}

static size_t head_write(uint8_t *to, uint64_t number, uint32_t size)
{
    memcpy(to, &number, 8);
    memcpy(to + 8, &size, 4);
    return HEAD_BYTES;
}

static size_t wire_bound(const dx_feed *feed, const dx_message *message)
{
    (void)feed;
    return HEAD_BYTES + message->size + 5; /* a bound need not be reached */
}

static size_t wire_write(const dx_feed *feed, const dx_message *message, uint8_t *to)
{
    (void)feed;
    head_write(to, message->sequence, message->size);
    memcpy(to + HEAD_BYTES, message->payload, message->size);
    return HEAD_BYTES + message->size;
}

static size_t wire_note_bound(const dx_feed *feed, dx_bytes text)
{
    return feed->variant == 0 ? HEAD_BYTES + text.size + 3 : 0;
}

/* The text begins with the note's number. */
static size_t wire_note_write(const dx_feed *feed, dx_bytes text, uint8_t *to)
{
    uint32_t number;

    (void)feed;
    memcpy(&number, text.at, sizeof number);
    head_write(to, number | note_bit, (uint32_t)text.size);
    memcpy(to + HEAD_BYTES, text.at, text.size);
    return HEAD_BYTES + text.size;
}

/* ---- what a reader got --------------------------------------------------------------------------- */

static void fault(reader *r, const char *text)
{
    if (r->fault == NULL)
        r->fault = text;
}

static uint64_t own_skipped(const reader *r, uint64_t sequence)
{
    while (r->sub.origin && sequence <= r->scene->tail &&
           r->scene->messages[sequence]->origin == r->sub.origin)
        sequence++;
    return sequence;
}

/* Index of the first note from `index` on that the feed took. */
static uint32_t note_in(const scene *s, uint32_t index)
{
    while (index < s->notes_count && !s->notes[index].is_in)
        index++;
    return index;
}

bool reader_misses_note(const reader *r)
{
    return r->sub.state == DX_SUBSCRIBER_LIVE &&
           note_in(r->scene, r->note_next) < r->scene->notes_count;
}

static void check_bytes(reader *r, const uint8_t *at, uint64_t number, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (at[i] != byte_of(number, i)) {
            fault(r, "other bytes");
            return;
        }
}

static void on_note(reader *r, uint32_t number, uint32_t size)
{
    const scene *s = r->scene;
    const scene_note *note = &s->notes[number];

    r->notes_count++;
    if (number != note_in(s, r->note_next)) {
        fault(r, "another note than the next");
        return;
    }
    r->note_next = number + 1;
    if (size != note->size)
        fault(r, "another size of a note");
    if (r->expected > note->after + 1 || own_skipped(r, r->expected) <= note->after)
        fault(r, "a note out of its place");
    check_bytes(r, r->part + HEAD_BYTES + 4, number, size - 4);
}

static void on_whole(reader *r, uint64_t sequence, uint32_t size)
{
    const scene *s = r->scene;
    uint32_t note = note_in(s, r->note_next);

    r->received_count++;
    if (sequence != own_skipped(r, r->expected)) {
        fault(r, "another message than the next");
        return;
    }
    if (r->sub.state == DX_SUBSCRIBER_LIVE && note < s->notes_count &&
        s->notes[note].after < sequence)
        fault(r, "a note was left out");
    r->expected = sequence + 1;
    if (size != s->messages[sequence]->size)
        fault(r, "another size");
    check_bytes(r, r->part + HEAD_BYTES, sequence, size);
}

static void on_byte(reader *r, uint8_t byte)
{
    const scene *s = r->scene;
    uint64_t number;
    uint32_t size;

    r->part[r->part_size++] = byte;
    if (r->part_size < HEAD_BYTES)
        return;
    memcpy(&number, r->part, 8);
    memcpy(&size, r->part + 8, 4);
    bool is_note = number & note_bit;
    if (is_note ? (number & ~note_bit) >= s->notes_count : number == 0 || number > s->tail) {
        fault(r, "no head of a message");
        r->part_size = 0;
    } else if (r->part_size == HEAD_BYTES + size) {
        if (is_note)
            on_note(r, (uint32_t)number, size);
        else
            on_whole(r, number, size);
        r->part_size = 0;
    }
}

static void on_bytes(reader *r, const uint8_t *at, size_t size)
{
    for (size_t i = 0; i < size && r->fault == NULL; i++)
        on_byte(r, at[i]);
}

/* ---- the encoding's calls ------------------------------------------------------------------------ */

static reader *reader_of(dx_subscriber *sub)
{
    return DX_CONTAINER(sub, reader, sub);
}

static void on_wake(dx_subscriber *sub)
{
    reader *r = reader_of(sub);

    r->wakes++;
    if (r->is_holding)
        reader_hold(r);
    else if (r->take_bytes > 0)
        reader_take(r, r->take_bytes);
}

/* It gets what the feed has from where it joins. */
static void on_live(dx_subscriber *sub)
{
    reader *r = reader_of(sub);
    const scene *s = r->scene;

    r->lives++;
    if (sub->position == s->feed->tail) {
        r->note_next = s->notes_count;
        return;
    }
    const dx_feed_entry *entry =
        dx_feed_entry_at(s->feed, dx_feed_entry_of(s->feed, sub->position));
    for (r->note_next = s->notes_count;
         r->note_next > 0 && s->notes[r->note_next - 1].after >= entry->sequence;)
        r->note_next--;
}

static void take_rest(reader *r, dx_bytes rest)
{
    if ((rest.size > 0) != (r->part_size > 0))
        fault(r, "the rest of a message that was not sent in part, or none of one that was");
    on_bytes(r, rest.at, rest.size);
    if (r->part_size > 0)
        fault(r, "the rest is not whole");
}

static void on_fell_behind(dx_subscriber *sub, dx_bytes rest)
{
    reader *r = reader_of(sub);

    r->falls++;
    take_rest(r, rest);
    r->is_room_due = true;
}

static void on_page(dx_subscriber *sub, dx_message *const *messages, size_t count)
{
    reader *r = reader_of(sub);
    static uint8_t frame[HEAD_BYTES + 150000];

    for (size_t i = 0; i < count; i++)
        on_bytes(r, frame, wire_write(sub->feed, messages[i], frame));
    r->is_room_due = true;
}

/* Something is left out only where the log has not got it, or for who asked for the latest. */
static bool on_gap(dx_subscriber *sub, const dx_gap *gap)
{
    reader *r = reader_of(sub);
    uint64_t from = gap->requested.sequence + 1;

    r->gaps++;
    r->gap = *gap;
    r->lost += gap->lost;
    if (gap->lost == 0 || gap->requested.sequence + gap->lost != gap->earliest.sequence)
        fault(r, "a gap whose numbers do not fit");
    if (from < r->expected || from > own_skipped(r, r->expected))
        fault(r, "a gap that does not begin where it was");
    if (r->on_slow != DX_ON_SLOW_LATEST && gap->earliest.sequence + 1 != r->scene->first)
        fault(r, "a gap that is not the log's");
    if (r->part_size > 0)
        fault(r, "a gap within a message");
    r->expected = gap->earliest.sequence + 1;
    return true;
}

static void on_too_slow(dx_subscriber *sub, dx_bytes rest)
{
    reader *r = reader_of(sub);

    take_rest(r, rest);
    r->is_cut_off = true;
    if (r->on_slow != DX_ON_SLOW_DISCONNECT || sub->state != DX_SUBSCRIBER_STOPPED)
        fault(r, "cut off");
}

static void on_failed(dx_subscriber *sub)
{
    reader *r = reader_of(sub);

    r->fails++;
    if (sub->state != DX_SUBSCRIBER_STOPPED)
        fault(r, "not stopped when it failed");
}

static void on_ended(dx_subscriber *sub, dx_stream_end why)
{
    reader *r = reader_of(sub);

    r->ends++;
    r->why = why;
    if (sub->state != DX_SUBSCRIBER_STOPPED || sub->is_in_flight || r->part_size > 0)
        fault(r, "told of the end too early");
    if (why == DX_STREAM_END_CLOSED && own_skipped(r, r->expected) != r->scene->tail + 1)
        fault(r, "told of the end before it has got everything");
    if (why == DX_STREAM_END_CLOSED && reader_misses_note(r))
        fault(r, "told of the end before it has got a note");
}

static const dx_encoding wire = {
    .bound = wire_bound,
    .write = wire_write,
    .wake = on_wake,
    .live = on_live,
    .fell_behind = on_fell_behind,
    .page = on_page,
    .gap = on_gap,
    .too_slow = on_too_slow,
    .failed = on_failed,
    .ended = on_ended,
    .note_bound = wire_note_bound,
    .note_write = wire_note_write,
};

/* ---- the log -------------------------------------------------------------------------------------- */

void __wrap_dx_hub_read(dx_hub *hub, dx_read *read);

static void answer(scene *s, dx_read *read)
{
    uint64_t start = read->position.at.sequence + 1;

    read->status = start < s->first ? DX_STREAM_GONE : DX_STREAM_OK;
    read->lost = start < s->first ? s->first - start : 0;
    start += read->lost;
    if (s->is_other_life) {
        read->status = DX_STREAM_GONE;
        read->lost = 0;
        read->done(read);
        return;
    }
    read->info.start = (dx_offset){1, s->first - 1};
    read->info.tail = (dx_offset){1, s->tail};
    read->messages = malloc(PAGE_COUNT * sizeof(dx_message *));
    if (read->messages == NULL)
        read->status = DX_STREAM_MEMORY;
    for (read->count = 0;
         read->messages && read->count < PAGE_COUNT && start + read->count <= s->tail;
         read->count++)
        read->messages[read->count] = dx_message_ref(s->messages[start + read->count]);
    read->next = (dx_offset){1, start + read->count - 1};
    read->done(read);
}

void __wrap_dx_hub_read(dx_hub *hub, dx_read *read)
{
    scene *s = reader_of(read->owner)->scene;

    (void)hub;
    if (!s->is_log_slow) {
        answer(s, read);
        return;
    }
    if (s->reads_count == SCENE_READS_MAX)
        abort();
    s->reads[s->reads_count++] = read;
}

void scene_answer(scene *s)
{
    dx_read *read = s->reads[0];

    if (s->reads_count == 0)
        return;
    memmove(s->reads, s->reads + 1, --s->reads_count * sizeof *s->reads);
    answer(s, read);
}

/* ---- scenes --------------------------------------------------------------------------------------- */

scene *scene_new(void)
{
    scene *s = calloc(1, sizeof *s);
    dx_topic *t = calloc(1, sizeof *t);
    dx_hub *hub = calloc(1, sizeof *hub);
    dx_link *link = calloc(1, sizeof *link);

    if (s == NULL || t == NULL || hub == NULL || link == NULL ||
        dx_loop_new(&(dx_loop_options){.kind = DX_LOOP_EPOLL}, &s->loop) != DX_OK)
        abort();
    hub->loop = s->loop;
    dx_list_init(&t->feeds);
    dx_list_init(&t->waiters);
    dx_list_init(&t->waking);
    t->hub = hub;
    t->link = link;
    t->watches_count = 1;
    t->epoch = 1;
    t->next_sequence = 1;
    s->topic = t;
    s->first = 1;
    s->feed = dx_feed_new(s->loop, &wire, 0, 1);
    if (s->feed == NULL)
        abort();
    s->feed->topic = t;
    dx_list_append(&t->feeds, &s->feed->link);
    return s;
}

void scene_free(scene *s)
{
    while (s->reads_count > 0)
        scene_answer(s);
    dx_feed_free(s->feed);
    for (uint64_t n = 1; n <= s->tail; n++)
        dx_message_unref(s->messages[n]);
    free(s->topic->hub);
    free(s->topic->link);
    free(s->topic);
    dx_loop_free(s->loop);
    free(s);
}

void scene_note_add(scene *s, size_t size)
{
    static uint8_t text[10000];
    uint64_t before = s->feed->tail;
    uint32_t number = s->notes_count;

    if (number == SCENE_NOTES_MAX || size < 4 || size > sizeof text)
        abort();
    memcpy(text, &number, 4);
    for (size_t i = 4; i < size; i++)
        text[i] = byte_of(number, i - 4);
    s->notes[number] = (scene_note){.after = s->feed->next_sequence - 1, .size = size};
    dx_feed_note(s->feed, dx_bytes_at(text, size));
    s->notes[number].is_in = s->feed->tail > before;
    s->notes_count++;
}

void scene_end(scene *s, dx_stream_end end)
{
    dx_topic_on_end(s->topic, end);
}

void scene_publish(scene *s, size_t size, uint64_t origin, bool is_lost)
{
    static uint8_t payload[150000];
    uint64_t sequence = s->tail + 1;

    if (sequence >= SCENE_MESSAGES_MAX)
        abort();
    for (size_t i = 0; i < size; i++)
        payload[i] = byte_of(sequence, i);
    dx_message *message = dx_message_new(dx_bytes_at(payload, size), origin);
    if (message == NULL)
        abort();
    message->sequence = sequence;
    s->messages[++s->tail] = message;
    if (!is_lost)
        dx_feed_append(s->feed, message);
}

void scene_turn(scene *s)
{
    dx_loop_step(s->loop, 0);
}

/* Counts what the feed counts, again. */
const char *scene_fault(const scene *s)
{
    const dx_feed *f = s->feed;
    uint32_t live = 0, behind = 0, waiting = 0, in_flight = f->orphans_count;

    for (dx_list *l = f->live.next; l != &f->live; l = l->next) {
        const dx_subscriber *sub = DX_CONTAINER(l, dx_subscriber, link);
        if (l == &f->cursor)
            continue;
        live++;
        behind += sub->position < f->tail;
        in_flight += sub->is_in_flight;
        if (sub->state != DX_SUBSCRIBER_LIVE)
            return "one that is not live is among the live";
        if (sub->is_ending && f->end != DX_STREAM_END_DELETED)
            return "one that is ending before the end";
        if (sub->position > f->tail || (sub->position < f->tail && sub->position < f->head))
            return "a position outside the feed";
    }
    for (dx_list *l = f->catching.next; l != &f->catching; l = l->next)
        waiting += DX_CONTAINER(l, dx_subscriber, link)->is_waiting;
    if (f->end == DX_STREAM_END_DELETED && !dx_list_is_empty(&f->catching))
        return "one that reads what is gone";
    if (f->end != DX_STREAM_END_NONE && waiting > 0)
        return "one that waits for what will not come";
    if (live != f->live_count)
        return "live_count";
    if (behind != f->behind_count)
        return "behind_count";
    if (waiting != f->waiting_count)
        return "waiting_count";
    if (in_flight != f->in_flight_count)
        return "in_flight_count";
    if ((f->first == NULL) != (f->head == f->tail))
        return "blocks without bytes, or bytes without blocks";
    if (f->first && behind == 0 && in_flight == 0)
        return "blocks that all have sent";
    return NULL;
}

/* ---- readers -------------------------------------------------------------------------------------- */

void reader_start(reader *r, scene *s, uint64_t next, uint64_t origin)
{
    const dx_subscription wish = {
        .encoding = &wire, .next = next, .origin = origin, .on_slow = r->on_slow};

    *r = (reader){.scene = s,
                  .expected = next,
                  .take_bytes = r->take_bytes,
                  .is_holding = r->is_holding,
                  .on_slow = r->on_slow,
                  .part = r->part};
    r->sub.origin = origin;
    if (r->part == NULL && (r->part = malloc(200000)) == NULL)
        abort();
    if (dx_subscriber_start(&r->sub, s->topic, &wish) != DX_OK)
        abort();
}

bool reader_hold(reader *r)
{
    if (r->sub.is_in_flight)
        return false;
    r->flight_count = dx_subscriber_pull(&r->sub, r->flight, 64);
    r->flight_bytes = 0;
    for (uint32_t i = 0; i < r->flight_count; i++)
        r->flight_bytes += r->flight[i].iov_len;
    return r->flight_count > 0;
}

void reader_land(reader *r, size_t bytes)
{
    if (!r->sub.is_in_flight)
        return;
    bytes = dx_min_size(bytes, r->flight_bytes);
    size_t left = bytes;
    for (uint32_t i = 0; i < r->flight_count && left > 0; i++) {
        size_t part = dx_min_size(left, r->flight[i].iov_len);
        on_bytes(r, r->flight[i].iov_base, part);
        left -= part;
    }
    bool is_cut = dx_subscriber_pulled(&r->sub, bytes);
    if (r->sub.state == DX_SUBSCRIBER_LIVE && is_cut != (r->part_size > 0))
        fault(r, "whether the message was sent in part");
}

bool reader_take(reader *r, size_t bytes)
{
    if (!reader_hold(r))
        return false;
    reader_land(r, bytes);
    return true;
}

void reader_continue(reader *r)
{
    if (!r->is_room_due)
        return;
    r->is_room_due = false;
    dx_subscriber_continue(&r->sub);
}

void reader_drain(reader *r, size_t bytes)
{
    for (int i = 0; i < 1000000 && r->fault == NULL; i++)
        if (!reader_take(r, bytes)) {
            if (!r->is_room_due || r->sub.state != DX_SUBSCRIBER_CATCHING)
                return;
            reader_continue(r);
        }
}

void reader_leave(reader *r)
{
    dx_subscriber_end(&r->sub);
    free(r->part);
    r->part = NULL;
}
