/* Looks after streams that the store has and nobody uses: those whose time is over go, and what is not to be kept
 * any more is dropped, also if no one ever asks for the stream again.
 *
 * Hub 0 goes over all that the store has, some each second. Of those that may have something to be dropped each
 * is loaded at its home, and treated there as one in memory is; then it leaves memory again. Between two rounds
 * it rests, nine times as long as the round took.
 * SPDX-License-Identifier: MIT */
#include "stream/survey.h"

#include "stream/record.h"
#include "stream/stream_store.h"

#include <stdlib.h>

enum {
    SCAN_COUNT = 256, /* streams in one look at the store, */
    SCANS_COUNT = 16, /* and so many looks in a second, if none of those has anything to be done */
    REST_MS = 5000,   /* at least */
    REST_PARTS = 9,
    EARLY_MS = 60000,
};

/* A stream that is to be looked at, on its way to its home and back. */
typedef struct visit {
    dx_post post;
    dx_hub *driver, *home;
    const dx_namespace *ns;
    bool is_begun;
    size_t path_size;
    uint8_t path[];
} visit;

/* ---- at the stream's home --------------------------------------------------------------------- */

static void on_back(dx_post *post)
{
    visit *v = DX_CONTAINER(post, visit, post);

    v->driver->survey.visits_count--;
    free(v);
}

static void go_back(visit *v)
{
    v->post.run = on_back;
    if (v->home == v->driver)
        on_back(&v->post);
    else
        dx_hub_send(v->home, v->driver, &v->post);
}

/* One in memory is seen to there. */
static void on_visit(dx_post *post)
{
    visit *v = DX_CONTAINER(post, visit, post);
    dx_bytes path = dx_bytes_at(v->path, v->path_size);
    dx_entered in;

    if (!v->is_begun && (v->home->is_ended || dx_home_find(v->home, path))) {
        go_back(v);
        return;
    }
    v->is_begun = true;
    if (!dx_home_enter(v->home,
                       &(dx_entry){.ns = v->ns, .path = path, .post = post, .is_read = true}, &in))
        return;
    if (in.stream && in.stream->kept) {
        in.stream->kept->seen_ms = 0; /* that was no use of it: it may leave at once */
        dx_kept_sweep(in.stream);
    }
    go_back(v);
}

/* ---- the round -------------------------------------------------------------------------------- */

/* What is over by count and bytes goes when something is appended: only when the server starts the bounds may be
 * others. What was in the store's journal then is seen a little later. */
static bool is_early(const dx_survey *survey)
{
    return survey->began_ms - survey->first_ms < EARLY_MS;
}

static bool is_bounded(const dx_retention *keep, bool is_early)
{
    return keep->age_ms_max < UINT64_MAX ||
           (is_early && (keep->count_max < UINT32_MAX - 1 || keep->bytes_max < UINT64_MAX));
}

static bool may_have_work(const dx_survey *survey, const dx_store_scanned *row,
                          const dx_namespace *ns)
{
    dx_record_view record;

    if (!dx_record_view_read(row->record, &record))
        return false;
    return record.lifetime.kind != DX_LIFETIME_FOR_EVER ||
           (record.is_deleted && is_early(survey)) || is_bounded(&ns->retention, is_early(survey));
}

static void send_visit(dx_hub *hub, const dx_store_scanned *row)
{
    const dx_streams *all = hub->all;
    const dx_namespace *ns =
        row->path.size > 0 ? all->find_namespace(all->find_context, row->path) : NULL;

    if (!dx_kept_is_for(hub, ns) || !may_have_work(&hub->survey, row, ns))
        return;
    visit *v = calloc(1, sizeof *v + row->path.size);
    if (v == NULL)
        return; /* next round */
    v->driver = hub;
    v->home = &hub->all->hubs[dx_streams_home(all, row->path)];
    v->ns = ns;
    v->path_size = row->path.size;
    dx_copy(v->path, row->path.at, row->path.size);
    v->post.run = on_visit;
    hub->survey.visits_count++;
    if (v->home == hub)
        on_visit(&v->post);
    else
        dx_hub_send(hub, v->home, &v->post);
}

static void end_round(dx_hub *hub)
{
    dx_survey *survey = &hub->survey;
    uint64_t now_ms = dx_loop_now_ms(hub->loop);

    survey->next_ms = now_ms + REST_MS + REST_PARTS * (now_ms - survey->began_ms);
    survey->scan.after = 0;
}

static void look(dx_hub *hub)
{
    dx_store *store = hub->all->store;

    hub->survey.is_looking = true;
    hub->survey.looks_left--;
    store->ops->scan(store, &hub->survey.scan);
}

static void on_scanned(dx_store_scan *scan)
{
    dx_survey *survey = DX_CONTAINER(scan, dx_survey, scan);
    dx_hub *hub = DX_CONTAINER(survey, dx_hub, survey);

    survey->is_looking = false;
    if (hub->is_ended || scan->status != DX_STORE_OK)
        return;
    for (size_t i = 0; i < scan->count; i++) {
        scan->after = scan->at[i].id;
        send_visit(hub, &scan->at[i]);
    }
    if (scan->count < scan->count_max)
        end_round(hub);
    else if (survey->visits_count == 0 && survey->looks_left > 0)
        look(hub);
}

void dx_survey_tick(dx_hub *hub)
{
    dx_survey *survey = &hub->survey;
    uint64_t now_ms = dx_loop_now_ms(hub->loop);

    if (hub->index != 0 || hub->all->store == NULL || hub->all->find_namespace == NULL ||
        survey->is_looking || survey->visits_count > 0 || now_ms < survey->next_ms)
        return;
    if (survey->scan.after == 0)
        survey->began_ms = now_ms;
    if (survey->first_ms == 0)
        survey->first_ms = now_ms;
    survey->looks_left = SCANS_COUNT;
    look(hub);
}

void dx_survey_init(dx_hub *hub)
{
    hub->survey = (dx_survey){
        .scan = {.count_max = SCAN_COUNT, .loop = hub->loop, .done = on_scanned},
    };
}
