/* Posts to all workers and back.
 * SPDX-License-Identifier: MIT */
#include "serve/gather.h"

#include "base/assert.h"
#include "stream/census.h"

#include <stdlib.h>

static void finish(dx_gather *g)
{
    if (g->is_finished)
        return;
    g->is_finished = true;
    g->question.finish(g);
}

/* The last one frees it. */
static void drop(dx_gather *g)
{
    if (--g->out_count > 0)
        return;
    dx_timer_clear(&g->timer);
    finish(g);
    if (g->question.release)
        g->question.release(g);
    free(g);
}

static void on_back(dx_post *post)
{
    dx_gather_part *part = DX_CONTAINER(post, dx_gather_part, post);

    part->is_back = true;
    drop(part->gather);
}

static void on_lost(dx_post *post)
{
    drop(DX_CONTAINER(post, dx_gather_part, post)->gather);
}

/* A mailbox that is full is one of a loop that is far too busy: the other way is as good, as the loop at home asks
 * few questions. */
static void go_home(dx_gather_part *part, void (*run)(dx_post *))
{
    part->post.run = run;
    if (dx_loop_post(part->gather->question.home, &part->post) != DX_OK)
        dx_unreachable("the mailbox of who asks is full");
}

static void on_visit(dx_post *post)
{
    dx_gather_part *part = DX_CONTAINER(post, dx_gather_part, post);
    const dx_worker *w = part->worker;

    if (dx_hub_is_ended(dx_streams_hub(w->server->streams, w->index)))
        go_home(part, on_lost);
    else if (part->gather->question.visit(part))
        go_home(part, on_back);
    else if (dx_loop_post(w->loop, post) != DX_OK) /* on, in a later turn */
        go_home(part, on_lost);
}

static void on_timer(dx_timer *timer)
{
    finish(DX_CONTAINER(timer, dx_gather, timer));
}

static dx_gather *gather_new(dx_server *s, const dx_gather_question *q, uint32_t count)
{
    dx_gather *g = calloc(1, sizeof *g + count * (sizeof g->parts[0] + q->found_bytes));
    uint8_t *found = g ? (uint8_t *)&g->parts[count] : NULL;

    dx_assert(q->found_bytes % 8 == 0);
    if (g == NULL)
        return NULL;
    g->question = *q;
    g->server = s;
    g->parts_count = count;
    dx_timer_init(&g->timer, on_timer);
    for (uint32_t i = 0; i < count; i++, found += q->found_bytes)
        g->parts[i] = (dx_gather_part){.gather = g, .found = found, .post = {.run = on_visit}};
    return g;
}

static bool begin(dx_server *s, const dx_gather_question *q, uint32_t first, uint32_t count)
{
    dx_gather *g = gather_new(s, q, count);

    if (g == NULL)
        return false;
    g->out_count = count + 1;
    if (q->wait_ms)
        dx_timer_set(q->home, &g->timer, q->wait_ms);
    for (uint32_t i = 0; i < count; i++) {
        g->parts[i].worker = &s->worker[first + i];
        if (dx_loop_post(g->parts[i].worker->loop, &g->parts[i].post) != DX_OK)
            g->out_count--; /* too busy even to be asked: not back */
    }
    drop(g);
    return true;
}

bool dx_gather_begin(dx_server *s, const dx_gather_question *q)
{
    return begin(s, q, 0, s->workers_count);
}

bool dx_gather_begin_at(dx_server *s, const dx_gather_question *q, uint32_t index)
{
    dx_assert(index < s->workers_count);
    return begin(s, q, index, 1);
}
