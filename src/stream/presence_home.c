/* Presence at the home of a stream.
 * SPDX-License-Identifier: MIT */
#include "stream/presence_home.h"

#include "base/assert.h"
#include "base/mutant.h"

#include <stdlib.h>

enum { BYTES_MAX = 268435456 }; /* kept of members at one home */

/* ---- rooms ------------------------------------------------------------------------------------ */

static void on_digest_due(dx_timer *timer);

static dx_presence_room *room_find(dx_hub *hub, dx_bytes path)
{
    dx_map_node *node = dx_map_find(&hub->presence.rooms, path);
    return node ? DX_CONTAINER(node, dx_presence_room, node) : NULL;
}

static dx_presence_room *room_new(dx_hub *hub, dx_bytes path)
{
    dx_presence_room *r = calloc(1, sizeof *r + path.size);

    if (r == NULL)
        return NULL;
    memcpy(r->path, path.at, path.size);
    r->node.key = dx_bytes_at(r->path, path.size);
    if (!dx_map_insert(&hub->presence.rooms, &r->node)) {
        free(r);
        return NULL;
    }
    r->hub = hub;
    dx_room_init(&r->room, hub->all->seed);
    dx_list_init(&r->dropped);
    dx_list_init(&r->links);
    dx_timer_init(&r->digest_timer, on_digest_due);
    hub->presence.bytes += sizeof *r + path.size;
    return r;
}

static dx_presence_room *room_of(dx_hub *hub, dx_bytes path)
{
    dx_presence_room *r = room_find(hub, path);
    return r ? r : room_new(hub, path);
}

static void room_free(dx_presence_room *r)
{
    r->hub->presence.bytes -= sizeof *r + r->node.key.size + dx_room_bytes(&r->room);
    dx_timer_clear(&r->digest_timer);
    if (!r->is_dropped)
        dx_map_remove(&r->hub->presence.rooms, &r->node);
    dx_list_remove(&r->dropped);
    dx_room_deinit(&r->room);
    free(r);
}

static void room_free_if_unused(dx_presence_room *r)
{
    if (r->room.persons.count == 0 && dx_list_is_empty(&r->links) && r->out_count == 0)
        room_free(r);
}

/* Something may have changed: it is told together with what changes until then. */
static void tell_soon(dx_presence_room *r)
{
    if (r->is_dropped)
        dx_room_settle(&r->room); /* nobody is told */
    else if (dx_room_has_changed(&r->room) && !dx_timer_is_set(&r->digest_timer) &&
             !r->hub->is_ended)
        dx_timer_set(r->hub->loop, &r->digest_timer, DX_PRESENCE_DIGEST_MS);
}

/* Counts what `r` takes up, before and after it is changed. */
static void charge(dx_presence_room *r, size_t before)
{
    r->hub->presence.bytes += dx_room_bytes(&r->room);
    r->hub->presence.bytes -= before;
}

void dx_presence_drop(dx_hub *hub, dx_bytes path)
{
    dx_presence_room *r = room_find(hub, path);

    if (r == NULL)
        return;
    dx_map_remove(&hub->presence.rooms, &r->node);
    r->is_dropped = true;
    dx_list_append(&hub->presence.dropped, &r->dropped);
    dx_timer_clear(&r->digest_timer);
    size_t before = dx_room_bytes(&r->room);
    dx_room_settle(&r->room);
    charge(r, before);
    room_free_if_unused(r);
}

/* ---- members ---------------------------------------------------------------------------------- */

static dx_bytes text_path(const dx_member_text *text)
{
    return dx_bytes_at(text->bytes, text->path_size);
}

static dx_bytes text_data(const dx_member_text *text)
{
    return dx_bytes_at(text->bytes + text->path_size, text->data_size);
}

static dx_presence_status join(dx_member *m)
{
    if (m->home->is_ended)
        return DX_PRESENCE_ENDED;
    if (m->home->presence.bytes > BYTES_MAX)
        return DX_PRESENCE_FULL;
    dx_presence_room *r = room_of(m->home, text_path(m->text));
    if (r == NULL)
        return DX_PRESENCE_MEMORY;
    size_t before = dx_room_bytes(&r->room);
    dx_presence_status status =
        dx_room_enter(&r->room, dx_member_id(m), text_data(m->text), &m->person);
    charge(r, before);
    if (status == DX_PRESENCE_OK) {
        m->room = r;
        tell_soon(r);
    } else {
        room_free_if_unused(r);
    }
    return status;
}

static dx_presence_status update(dx_member *m)
{
    dx_presence_room *r = m->room;

    if (m->person == NULL || r->is_dropped || m->home->is_ended)
        return DX_PRESENCE_ENDED;
    size_t before = dx_room_bytes(&r->room);
    dx_presence_status status = dx_room_set(&r->room, m->person, text_data(m->text));
    charge(r, before);
    tell_soon(r);
    return status;
}

static void answer(dx_member *m, dx_presence_status status)
{
    free(m->text);
    m->text = NULL;
    m->status = status;
    m->post.run = dx_presence_on_answer;
    dx_hub_send(m->home, m->worker, &m->post);
}

void dx_presence_on_join(dx_post *post)
{
    dx_member *m = DX_CONTAINER(post, dx_member, post);
    answer(m, join(m));
}

void dx_presence_on_update(dx_post *post)
{
    dx_member *m = DX_CONTAINER(post, dx_member, post);
    answer(m, update(m));
}

void dx_presence_on_leave(dx_post *post)
{
    dx_member *m = DX_CONTAINER(post, dx_member, post);
    dx_presence_room *r = m->room;

    if (m->person && !DX_MUTANT_ONE_IN("member_stays", 10)) {
        size_t before = dx_room_bytes(&r->room);
        dx_room_leave(&r->room, m->person);
        tell_soon(r);
        charge(r, before);
        room_free_if_unused(r);
    }
    free(m);
}

/* ---- digests ---------------------------------------------------------------------------------- */

static dx_message *digest_new(const dx_room *room)
{
    dx_buffer text = {0};
    dx_message *message =
        dx_room_digest(room, &text) ? dx_message_new(dx_buffer_view(&text), 0) : NULL;

    dx_buffer_clear(&text);
    return message;
}

static void send_digest(dx_presence_link *link, dx_message *text)
{
    dx_assert(!link->is_out);
    link->is_out = true;
    link->room->out_count++;
    link->text = dx_message_ref(text);
    link->post.run = dx_presence_on_digest;
    dx_hub_send(link->home, link->worker, &link->post);
}

/* What changes while a worker has not taken the last digest, or there is no memory for one, is put into the
 * next: nothing is lost, and no more than one is under way. */
static bool tell(dx_presence_room *r)
{
    if (r->out_count > 0)
        return false;
    if (dx_list_is_empty(&r->links))
        return true;
    dx_message *text = digest_new(&r->room);
    if (text == NULL)
        return false;
    for (dx_list *l = r->links.next; l != &r->links && text->size > 0; l = l->next)
        send_digest(DX_CONTAINER(l, dx_presence_link, link), text);
    dx_message_unref(text);
    return true;
}

static void on_digest_due(dx_timer *timer)
{
    dx_presence_room *r = DX_CONTAINER(timer, dx_presence_room, digest_timer);

    if (!tell(r)) {
        dx_timer_set(r->hub->loop, timer, DX_PRESENCE_DIGEST_MS);
        return;
    }
    size_t before = dx_room_bytes(&r->room);
    dx_room_settle(&r->room);
    charge(r, before);
    room_free_if_unused(r);
}

/* ---- links ------------------------------------------------------------------------------------ */

static bool link_enter(dx_presence_link *link)
{
    dx_presence_room *r = room_of(link->home, dx_bytes_at(link->path, link->path_size));

    if (r == NULL)
        return false;
    link->room = r;
    dx_list_remove(&link->link);
    dx_list_append(&r->links, &link->link);
    return true;
}

static void retry_soon(dx_hub *hub)
{
    if (!hub->is_ended && !dx_timer_is_set(&hub->presence.retry_timer))
        dx_timer_set(hub->loop, &hub->presence.retry_timer, DX_PRESENCE_DIGEST_MS);
}

static void on_retry(dx_timer *timer)
{
    dx_hub *hub = DX_CONTAINER(timer, dx_hub, presence.retry_timer);

    while (!dx_list_is_empty(&hub->presence.homeless))
        if (!link_enter(DX_CONTAINER(hub->presence.homeless.next, dx_presence_link, link))) {
            retry_soon(hub);
            return;
        }
}

void dx_presence_on_watch(dx_post *post)
{
    dx_presence_link *link = DX_CONTAINER(post, dx_presence_link, post);

    if (link->home->is_ended || link_enter(link))
        return;
    dx_list_append(&link->home->presence.homeless, &link->link);
    retry_soon(link->home);
}

static void link_leave(dx_presence_link *link)
{
    link->is_leaving = true;
    link->leave_post.run = dx_presence_on_gone;
    dx_hub_send(link->home, link->worker, &link->leave_post);
}

void dx_presence_on_unwatch(dx_post *post)
{
    dx_presence_link *link = DX_CONTAINER(post, dx_presence_link, leave_post);

    dx_list_remove(&link->link);
    link->is_leaving = true;
    if (link->is_out)
        return; /* when the digest is back */
    if (link->room)
        room_free_if_unused(link->room);
    link_leave(link);
}

void dx_presence_on_ack(dx_post *post)
{
    dx_presence_link *link = DX_CONTAINER(post, dx_presence_link, post);

    link->is_out = false;
    link->room->out_count--;
    if (!link->is_leaving)
        return;
    room_free_if_unused(link->room);
    link_leave(link);
}

/* ---- listing ---------------------------------------------------------------------------------- */

static dx_presence_status list(dx_hub *home, dx_presence_read *read)
{
    static const dx_room nobody;
    const dx_presence_room *r = room_find(home, read->path);

    if (home->is_ended)
        return DX_PRESENCE_ENDED;
    return dx_room_page(r ? &r->room : &nobody, read) ? DX_PRESENCE_OK : DX_PRESENCE_MEMORY;
}

void dx_presence_on_list(dx_post *post)
{
    dx_presence_read *read = DX_CONTAINER(post, dx_presence_read, post);
    dx_hub *home = &read->from->all->hubs[dx_streams_home(read->from->all, read->path)];

    read->status = list(home, read);
    post->run = dx_presence_on_listed;
    dx_hub_send(home, read->from, post);
}

/* ---- life ------------------------------------------------------------------------------------- */

void dx_presence_init(dx_hub *hub)
{
    dx_map_init(&hub->presence.rooms, hub->all->seed);
    dx_list_init(&hub->presence.dropped);
    dx_list_init(&hub->presence.homeless);
    dx_timer_init(&hub->presence.retry_timer, on_retry);
}

void dx_presence_end(dx_hub *hub)
{
    const dx_map *rooms = &hub->presence.rooms;

    dx_timer_clear(&hub->presence.retry_timer);
    for (dx_map_node *n = dx_map_next(rooms, NULL); n; n = dx_map_next(rooms, n))
        dx_timer_clear(&DX_CONTAINER(n, dx_presence_room, node)->digest_timer);
}

void dx_presence_free(dx_hub *hub)
{
    dx_presence *p = &hub->presence;

    for (dx_map_node *n; (n = dx_map_next(&p->rooms, NULL)) != NULL;)
        room_free(DX_CONTAINER(n, dx_presence_room, node));
    while (!dx_list_is_empty(&p->dropped))
        room_free(DX_CONTAINER(p->dropped.next, dx_presence_room, dropped));
    dx_map_deinit(&p->rooms);
}
