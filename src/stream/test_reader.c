/* Readers that are no connections: see test_reader.h.
 * SPDX-License-Identifier: MIT */
#include "stream/test_reader.h"

#include <stdio.h>
#include <stdlib.h>

enum { HEAD_BYTES = 12, PAGE_COUNT = 7 };

/* ---- the wire: sequence, size, and bytes that follow from them ---------------------------------- */

static uint8_t byte_of(uint64_t sequence, size_t index)
{
    return (uint8_t)(sequence * 31 + index * 7);
}

static size_t wire_bound(const dx_feed *feed, const dx_message *message)
{
    (void)feed;
    return HEAD_BYTES + message->size + 5; /* a bound need not be reached */
}

static size_t wire_write(const dx_feed *feed, const dx_message *message, uint8_t *to)
{
    (void)feed;
    memcpy(to, &message->sequence, 8);
    memcpy(to + 8, &message->size, 4);
    memcpy(to + HEAD_BYTES, message->payload, message->size);
    return HEAD_BYTES + message->size;
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

static void on_whole(reader *r, uint64_t sequence, uint32_t size)
{
    r->received_count++;
    if (sequence != own_skipped(r, r->expected)) {
        fault(r, "another message than the next");
        return;
    }
    r->expected = sequence + 1;
    if (size != r->scene->messages[sequence]->size)
        fault(r, "another size");
    for (uint32_t i = 0; i < size; i++)
        if (r->part[HEAD_BYTES + i] != byte_of(sequence, i)) {
            fault(r, "other bytes");
            return;
        }
}

static void on_byte(reader *r, uint8_t byte)
{
    uint64_t sequence;
    uint32_t size;

    if (r->part == NULL && (r->part = malloc(200000)) == NULL)
        abort();
    r->part[r->part_size++] = byte;
    if (r->part_size < HEAD_BYTES)
        return;
    memcpy(&sequence, r->part, 8);
    memcpy(&size, r->part + 8, 4);
    if (sequence == 0 || sequence > r->scene->tail || size > 150000) {
        fault(r, "no head of a message");
        r->part_size = 0;
    } else if (r->part_size == HEAD_BYTES + size) {
        on_whole(r, sequence, size);
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

static void on_live(dx_subscriber *sub)
{
    reader_of(sub)->lives++;
}

static void on_fell_behind(dx_subscriber *sub, dx_bytes rest)
{
    reader *r = reader_of(sub);

    r->falls++;
    if ((rest.size > 0) != (r->part_size > 0))
        fault(r, "the rest of a message that was not sent in part, or none of one that was");
    on_bytes(r, rest.at, rest.size);
    if (r->part_size > 0)
        fault(r, "the rest is not whole");
    r->is_room_due = true;
}

static void on_page(dx_subscriber *sub, dx_message *const *messages, size_t count)
{
    (void)sub, (void)messages, (void)count;
    abort(); /* these readers read the log themselves */
}

static bool on_gap(dx_subscriber *sub, uint64_t lost)
{
    (void)sub, (void)lost;
    abort();
}

static const dx_encoding wire = {
    .bound = wire_bound,
    .write = wire_write,
    .wake = on_wake,
    .live = on_live,
    .fell_behind = on_fell_behind,
    .page = on_page,
    .gap = on_gap,
};

/* ---- scenes --------------------------------------------------------------------------------------- */

scene *scene_new(void)
{
    scene *s = calloc(1, sizeof *s);

    if (s == NULL || dx_loop_new(&(dx_loop_options){.kind = DX_LOOP_EPOLL}, &s->loop) != DX_OK)
        abort();
    s->first = 1;
    s->feed = dx_feed_new(s->loop, &wire, 0, 1);
    if (s->feed == NULL)
        abort();
    return s;
}

void scene_free(scene *s)
{
    dx_feed_free(s->feed);
    for (uint64_t n = 1; n <= s->tail; n++)
        dx_message_unref(s->messages[n]);
    dx_loop_free(s->loop);
    free(s);
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
        if (sub->position > f->tail || (sub->position < f->tail && sub->position < f->head))
            return "a position outside the feed";
    }
    for (dx_list *l = f->catching.next; l != &f->catching; l = l->next)
        waiting += DX_CONTAINER(l, dx_subscriber, link)->is_waiting;
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
    *r = (reader){.scene = s,
                  .expected = next,
                  .is_room_due = true,
                  .take_bytes = r->take_bytes,
                  .part = r->part};
    r->sub = (dx_subscriber){
        .feed = s->feed, .next = next, .origin = origin, .state = DX_SUBSCRIBER_CATCHING};
    dx_list_init(&r->sub.link);
    dx_list_append(&s->feed->catching, &r->sub.link);
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

/* Reads some messages of the log; a connection would queue them. */
static void read_page(reader *r)
{
    scene *s = r->scene;
    uint8_t frame[HEAD_BYTES + 150000];

    if (r->sub.next < s->first) {
        r->lost += s->first - r->sub.next;
        r->sub.next = r->expected = s->first;
    }
    for (int i = 0; i < PAGE_COUNT && r->sub.next <= s->tail; i++) {
        const dx_message *message = s->messages[r->sub.next++];
        if (r->sub.origin == 0 || message->origin != r->sub.origin)
            on_bytes(r, frame, wire_write(s->feed, message, frame));
    }
    r->is_room_due = true;
}

/* As dx_subscriber_continue, with this log. */
void reader_continue(reader *r)
{
    dx_feed *f = r->scene->feed;

    if (!r->is_room_due || r->sub.state != DX_SUBSCRIBER_CATCHING || r->sub.is_waiting)
        return;
    r->is_room_due = false;
    if (dx_feed_join(f, &r->sub))
        return;
    if (r->sub.next > f->next_sequence) {
        r->sub.is_waiting = true;
        f->waiting_count++;
        return;
    }
    read_page(r);
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
