/* Presence at the worker of a connection.
 * SPDX-License-Identifier: MIT */
#include "stream/presence.h"

#include "base/assert.h"
#include "base/random.h"
#include "codec/json.h"
#include "codec/utf8.h"
#include "stream/presence_home.h"

#include <stdlib.h>

enum { MADE_ID_BYTES = 16 }; /* random; two hex digits each */

/* ---- checks ----------------------------------------------------------------------------------- */

static bool is_good_id(dx_bytes id)
{
    if (id.size > DX_MEMBER_ID_BYTES_MAX || !dx_utf8_is_valid(id))
        return false;
    for (size_t i = 0; i < id.size; i++)
        if (id.at[i] < ' ' || id.at[i] == 0x7f)
            return false;
    return true;
}

static bool is_good_data(dx_bytes data)
{
    size_t error_at;

    return data.size == 0 || (data.size <= DX_MEMBER_DATA_BYTES_MAX &&
                              dx_json_check(data, DX_JSON_DEPTH_DEFAULT, &error_at) == DX_JSON_OK);
}

dx_presence_status dx_presence_check(dx_bytes id, dx_bytes data)
{
    if (!is_good_id(id))
        return DX_PRESENCE_BAD_ID;
    return is_good_data(data) ? DX_PRESENCE_OK : DX_PRESENCE_BAD_DATA;
}

/* ---- members ---------------------------------------------------------------------------------- */

static dx_member_text *text_new(dx_bytes path, dx_bytes data)
{
    dx_member_text *text = malloc(sizeof *text + path.size + data.size);

    if (text == NULL)
        return NULL;
    text->path_size = (uint16_t)path.size;
    text->data_size = (uint16_t)data.size;
    dx_copy(text->bytes, path.at, path.size);
    dx_copy(text->bytes + path.size, data.at, data.size);
    return text;
}

static void make_id(dx_member *m)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t random[MADE_ID_BYTES];

    dx_random_fill(random, sizeof random);
    for (size_t i = 0; i < sizeof random; i++) {
        m->id[2 * i] = digits[random[i] >> 4];
        m->id[2 * i + 1] = digits[random[i] & 15];
    }
}

static dx_member *member_new(dx_topic *topic, dx_bytes id)
{
    size_t id_size = id.size > 0 ? id.size : 2 * MADE_ID_BYTES;
    dx_member *m = calloc(1, sizeof *m + id_size);

    if (m == NULL)
        return NULL;
    m->worker = topic->hub;
    m->home = topic->link->home;
    m->id_size = (uint8_t)id_size;
    if (id.size > 0)
        memcpy(m->id, id.at, id.size);
    else
        make_id(m);
    return m;
}

static void member_send(dx_member *m, void (*run)(dx_post *post))
{
    m->is_out = true;
    m->post.run = run;
    dx_hub_send(m->worker, m->home, &m->post);
}

dx_presence_status dx_presence_join(dx_topic *topic, const dx_member_wish *wish, dx_member **ret)
{
    dx_presence_status status = dx_presence_check(wish->id, wish->data);

    if (status != DX_PRESENCE_OK)
        return status;
    dx_member *m = member_new(topic, wish->id);
    dx_member_text *text = m ? text_new(dx_topic_path(topic), wish->data) : NULL;
    if (text == NULL) {
        free(m);
        return DX_PRESENCE_MEMORY;
    }
    m->done = wish->done;
    m->context = wish->context;
    m->text = text;
    member_send(m, dx_presence_on_join);
    *ret = m;
    return DX_PRESENCE_OK;
}

dx_presence_status dx_presence_update(dx_member *m, dx_bytes data)
{
    if (!is_good_data(data))
        return DX_PRESENCE_BAD_DATA;
    dx_member_text *text = text_new((dx_bytes){0}, data);
    if (text == NULL)
        return DX_PRESENCE_MEMORY;
    if (m->is_out) {
        free(m->due);
        m->due = text;
    } else {
        m->text = text;
        member_send(m, dx_presence_on_update);
    }
    return DX_PRESENCE_OK;
}

void dx_presence_on_answer(dx_post *post)
{
    dx_member *m = DX_CONTAINER(post, dx_member, post);
    dx_presence_status status = m->status;

    m->is_out = false;
    if (m->is_leaving) {
        member_send(m, dx_presence_on_leave);
        return;
    }
    if (m->due) {
        m->text = m->due;
        m->due = NULL;
        member_send(m, dx_presence_on_update);
    }
    m->done(m->context, status); /* it may leave */
}

void dx_presence_leave(dx_member **member)
{
    dx_member *m = *member;

    *member = NULL;
    if (m == NULL)
        return;
    m->is_leaving = true;
    free(m->due);
    m->due = NULL;
    if (!m->is_out) /* else when it is back */
        member_send(m, dx_presence_on_leave);
}

dx_bytes dx_member_id(const dx_member *m)
{
    return dx_bytes_at(m->id, m->id_size);
}

/* ---- watching --------------------------------------------------------------------------------- */

static dx_presence_link *link_new(dx_topic *topic)
{
    dx_bytes path = dx_topic_path(topic);
    dx_presence_link *link = calloc(1, sizeof *link + path.size);

    if (link == NULL)
        return NULL;
    link->worker = topic->hub;
    link->home = topic->link->home;
    link->topic = topic;
    link->path_size = (uint16_t)path.size;
    memcpy(link->path, path.at, path.size);
    dx_list_init(&link->link);
    return link;
}

dx_err dx_presence_watch(dx_topic *topic)
{
    if (topic->presence == NULL) {
        dx_presence_link *link = link_new(topic);
        if (link == NULL)
            return DX_ERR_MEMORY;
        topic->presence = link;
        link->post.run = dx_presence_on_watch;
        dx_hub_send(link->worker, link->home, &link->post);
    }
    topic->presence->watches_count++;
    return DX_OK;
}

void dx_presence_topic_leaves(dx_topic *topic)
{
    dx_presence_link *link = topic->presence;

    if (link == NULL)
        return;
    topic->presence = NULL;
    link->topic = NULL;
    link->leave_post.run = dx_presence_on_unwatch;
    dx_hub_send(link->worker, link->home, &link->leave_post);
}

void dx_presence_unwatch(dx_topic *topic)
{
    dx_assert(topic->presence && topic->presence->watches_count > 0);
    if (--topic->presence->watches_count == 0)
        dx_presence_topic_leaves(topic);
}

void dx_presence_on_digest(dx_post *post)
{
    dx_presence_link *link = DX_CONTAINER(post, dx_presence_link, post);

    if (link->topic && !link->worker->is_ended)
        dx_topic_note(link->topic, dx_message_payload(link->text));
    dx_message_unref(link->text);
    link->text = NULL;
    post->run = dx_presence_on_ack;
    dx_hub_send(link->worker, link->home, post);
}

void dx_presence_on_gone(dx_post *post)
{
    free(DX_CONTAINER(post, dx_presence_link, leave_post));
}

/* ---- listing ---------------------------------------------------------------------------------- */

void dx_presence_list(dx_hub *hub, dx_presence_read *read)
{
    dx_assert(read->count_max <= DX_PRESENCE_PAGE_MAX);
    read->from = hub;
    read->text = NULL;
    read->text_size = 0;
    read->post.run = dx_presence_on_list;
    dx_hub_send(hub, &hub->all->hubs[dx_streams_home(hub->all, read->path)], &read->post);
}

void dx_presence_on_listed(dx_post *post)
{
    dx_presence_read *read = DX_CONTAINER(post, dx_presence_read, post);
    read->done(read);
}

void dx_presence_release(dx_presence_read *read)
{
    free(read->text);
    read->text = NULL;
    read->text_size = 0;
}
