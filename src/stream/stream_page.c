/* Messages back from the store: for readers, for links that are behind, for trimming; and the cache.
 * SPDX-License-Identifier: MIT */
#include "stream/stream_store.h"

#include "base/assert.h"
#include "stream/stream_history.h"

#include <stdlib.h>

enum {
    CACHE_COUNT_MAX = 1024,         /* messages of one stream */
    CACHE_BYTES_MAX = 1 << 20,      /* their payload */
    CACHE_ALL_BYTES_MAX = 64 << 20, /* of all streams of a worker */
    TRIM_COUNT = 4096,
    TRIM_BYTES = 4 << 20,
};

void dx_store_read_release(dx_store_read *read)
{
    for (size_t i = 0; i < read->count; i++)
        dx_message_unref(read->messages[i]);
    free(read->messages);
    read->messages = NULL;
    read->count = 0;
}

/* ---- the cache -------------------------------------------------------------------------------- */

static void drop_oldest(dx_stream *s, size_t count)
{
    uint64_t bytes = s->log.bytes;

    while (count-- > 0)
        dx_log_drop_first(&s->log);
    s->hub->cached_bytes -= bytes - s->log.bytes;
}

/* The streams looked at longest ago lose what they have. */
static void shrink(dx_hub *hub)
{
    for (dx_list *l = hub->sweep.next; l != &hub->sweep; l = l->next) {
        dx_stream *s = DX_CONTAINER(l, dx_stream, swept);
        if (s->kept)
            drop_oldest(s, s->log.count);
        if (hub->cached_bytes <= CACHE_ALL_BYTES_MAX / 2)
            return;
    }
}

void dx_kept_cache(dx_stream *s, dx_message *message)
{
    static const dx_retention bounds = {CACHE_COUNT_MAX, UINT64_MAX, UINT64_MAX};
    dx_log_ring *log = &s->log;

    if (!dx_log_reserve(log, 1, &bounds)) { /* then it has nothing, which is never wrong */
        drop_oldest(s, log->count);
        dx_log_reset(log, message->sequence);
        return;
    }
    dx_log_push(log, dx_message_ref(message));
    s->hub->cached_bytes += message->size;
    while (log->count > CACHE_COUNT_MAX || (log->count > 1 && log->bytes > CACHE_BYTES_MAX))
        drop_oldest(s, 1);
    if (s->hub->cached_bytes > CACHE_ALL_BYTES_MAX)
        shrink(s->hub);
}

/* ---- for readers ------------------------------------------------------------------------------ */

/* What is put together for one reader: from the store, perhaps in several parts (a page there ends where it
 * ends), then from the log. */
typedef struct page {
    dx_history_ask ask;
    dx_hub *hub;
    dx_read *asked;
    uint64_t next; /* sequence that is needed next */
    size_t bytes;  /* of payload, so far */
} page;

static dx_stream_status status_of(dx_store_status status)
{
    switch (status) {
    case DX_STORE_OK: return DX_STREAM_OK;
    case DX_STORE_NOT_FOUND: return DX_STREAM_NOT_FOUND; /* it was deleted meanwhile */
    case DX_STORE_MEMORY: return DX_STREAM_MEMORY;
    case DX_STORE_FULL:
    case DX_STORE_BROKEN:
    case DX_STORE_CLOSED: return DX_STREAM_STORE;
    }
    dx_unreachable("dx_store_status outside its enum");
}

static bool is_full(const page *p)
{
    const dx_read *r = p->asked;
    return r->count > 0 && (r->count >= r->count_max || p->bytes >= r->bytes_max ||
                            p->next > r->info.tail.sequence);
}

/* False: there is no room for it, or it is not the next. */
static bool add_message(page *p, dx_message *message)
{
    dx_read *r = p->asked;

    if (r->count > 0 && (is_full(p) || p->bytes + message->size > r->bytes_max))
        return false;
    if (r->count > 0 && message->sequence != p->next)
        return false; /* trimmed meanwhile: the next page tells */
    r->messages[r->count++] = dx_message_ref(message);
    p->bytes += message->size;
    p->next = message->sequence + 1;
    r->next = (dx_offset){message->epoch, message->sequence};
    return true;
}

static bool reserve(dx_read *r, size_t more)
{
    dx_message **messages = realloc(r->messages, (r->count + more) * sizeof *messages);

    if (messages == NULL)
        return false;
    r->messages = messages;
    return true;
}

/* What was trimmed while it was on its way is lost for who asked for it. */
static void note_loss(page *p, uint64_t first)
{
    dx_read *r = p->asked;

    if (first <= p->next || r->count > 0)
        return;
    if (r->position.kind == DX_OFFSET_AT && r->last == 0) {
        r->status = DX_STREAM_GONE;
        r->lost += first - p->next;
        r->info.start.sequence = first - 1; /* where it can go on */
    }
    p->next = first;
}

/* The rest, if the log has it, up to where the tail was when it was asked for. */
static void add_from_log(page *p, const dx_stream *s)
{
    uint64_t tail = dx_min_u64(s->log.tail, p->asked->info.tail.sequence);
    size_t count = (size_t)dx_min_u64(tail + 1 - p->next, p->asked->count_max - p->asked->count);

    if (!reserve(p->asked, count))
        return;
    while (p->next <= tail && !is_full(p) && add_message(p, dx_log_at(&s->log, p->next)))
        continue;
}

/* The stream as it was when it was asked for; NULL: it is not there any more, or not known. */
static dx_stream *stream_of(const page *p)
{
    dx_stream *s = p->hub->is_ended ? NULL : dx_home_find(p->hub, p->asked->path);
    bool is_same =
        s && s->kept && s->state == DX_HOME_READY && s->identity == p->asked->info.identity;

    return is_same ? s : NULL;
}

/* What has come: true if that is all there is for this reader. */
static bool take_messages(page *p)
{
    const dx_history_ask *ask = &p->ask;
    dx_read *r = p->asked;
    bool is_first = r->count == 0, is_end = ask->count == 0;

    if (ask->status != DX_STORE_OK && is_first)
        r->status = status_of(ask->status);
    if (ask->status == DX_STORE_OK && is_first) {
        note_loss(p, is_end ? r->info.tail.sequence + 1 : ask->messages[0]->sequence);
        r->next = r->info.tail;
    }
    if (is_end)
        return true;
    if (!reserve(r, dx_min_size(ask->count, r->count_max - r->count))) {
        r->status = is_first ? DX_STREAM_MEMORY : r->status;
        return true;
    }
    for (size_t i = 0; i < ask->count && !is_full(p); i++)
        if (!add_message(p, ask->messages[i]))
            return true;
    return false;
}

static void on_history(dx_history_ask *ask);

/* True: it has come. */
static bool ask_history(page *p, const dx_stream *s)
{
    p->ask = (dx_history_ask){.id = s->kept->id,
                              .from = p->next,
                              .until = dx_min_u64(s->log.tail, dx_log_first(&s->log) - 1),
                              .kind = s->kind,
                              .done = on_history};
    return dx_history_get(p->hub->history, &p->ask);
}

static void go_on(page *p, const dx_stream *s)
{
    bool is_end = false;

    while (!is_end && s && p->next < dx_log_first(&s->log) && !is_full(p)) {
        if (!ask_history(p, s))
            return;
        is_end = take_messages(p);
        dx_history_release(&p->ask);
    }
    if (!is_end && s && !is_full(p) && p->next <= s->log.tail)
        add_from_log(p, s);
    dx_home_answer_read(p->hub, p->asked);
    free(p);
}

static void on_history(dx_history_ask *ask)
{
    page *p = DX_CONTAINER(ask, page, ask);
    bool is_end = take_messages(p);

    dx_history_release(ask);
    go_on(p, is_end ? NULL : stream_of(p));
}

bool dx_kept_read(dx_stream *s, dx_read *r, uint64_t start)
{
    page *p = calloc(1, sizeof *p);

    if (p == NULL) {
        r->status = DX_STREAM_MEMORY;
        return false;
    }
    *p = (page){.hub = s->hub, .asked = r, .next = start};
    go_on(p, s);
    return true;
}

/* ---- for links -------------------------------------------------------------------------------- */

struct dx_link_page {
    dx_store_read read;
    dx_link *link; /* NULL: it has left */
};

static void give_link(dx_link *link, dx_store_read *read)
{
    const dx_stream *s = link->stream;

    dx_history_set_kind(read, s->kind);
    for (size_t i = 0; i < read->count && dx_batch_add(&link->queued, read->messages[i]); i++)
        link->sent = read->messages[i]->sequence;
    if (read->count == 0) /* all of it was trimmed: the topic sees the jump */
        link->sent = dx_log_first(&s->log) - 1;
    dx_home_link_send(link);
}

/* A store that fails leaves the link behind: the next message makes it try again. */
static void on_link_page(dx_store_read *read)
{
    struct dx_link_page *p = DX_CONTAINER(read, struct dx_link_page, read);
    dx_link *link = p->link;

    if (link) {
        link->page = NULL;
        if (read->status == DX_STORE_OK && !link->home->is_ended)
            give_link(link, read);
    }
    dx_store_read_release(read);
    free(p);
}

void dx_kept_read_link(dx_link *link)
{
    const dx_stream *s = link->stream;
    dx_store *store = s->hub->all->store;
    struct dx_link_page *p = calloc(1, sizeof *p);

    if (p == NULL)
        return;
    p->link = link;
    link->page = p;
    p->read = (dx_store_read){.id = s->kept->id,
                              .from = link->sent + 1,
                              .count_max =
                                  (size_t)dx_min_u64(DX_BATCH_COUNT_MAX, s->log.tail - link->sent),
                              .bytes_max = DX_BATCH_BYTES_MAX,
                              .loop = s->hub->loop,
                              .done = on_link_page};
    store->ops->read(store, &p->read);
}

void dx_kept_stop_link(dx_link *link)
{
    if (link->page)
        link->page->link = NULL;
    link->page = NULL;
}

/* ---- trimming --------------------------------------------------------------------------------- */

struct dx_trim {
    dx_store_read read;
    dx_stream *stream;
};

static bool is_too_old(const dx_stream *s, uint64_t time_ms)
{
    uint64_t now_ms = dx_home_wall_ms(s->hub);
    return now_ms > time_ms && now_ms - time_ms > s->ns->retention.age_ms_max;
}

/* Walks the oldest messages in a row as far as they are to go. The newest of all stays but for its age. */
static void trim_by(dx_stream *s, dx_message *const *messages, size_t count)
{
    dx_kept *kept = s->kept;
    uint64_t first = count > 0 ? messages[0]->sequence : kept->next_first, bytes = kept->bytes;

    kept->oldest_ms = 0;
    for (size_t i = 0; i < count; i++) {
        const dx_message *m = messages[i];
        bool is_over = (bytes > s->ns->retention.bytes_max && m->sequence < kept->tail) ||
                       kept->tail - m->sequence >= s->ns->retention.count_max;
        if (!is_over && !is_too_old(s, m->time_ms)) {
            kept->oldest_ms = m->time_ms;
            break;
        }
        bytes -= dx_min_u64(bytes, m->size);
        first = m->sequence + 1;
    }
    if (first == kept->next_first)
        return;
    dx_change *ch = dx_kept_change(s, 0);
    if (ch == NULL)
        return; /* next time */
    ch->first = kept->next_first = first;
    kept->bytes = bytes;
}

static void on_trim(dx_store_read *read)
{
    struct dx_trim *t = DX_CONTAINER(read, struct dx_trim, read);
    dx_stream *s = t->stream;

    s->kept->trim = NULL;
    if (read->status == DX_STORE_OK && !s->hub->is_ended && s->state == DX_HOME_READY)
        trim_by(s, read->messages, read->count);
    dx_store_read_release(read);
    free(t);
    dx_stream_resume(s);
}

static void look_at_oldest(dx_stream *s)
{
    dx_store *store = s->hub->all->store;
    dx_kept *kept = s->kept;
    struct dx_trim *t = calloc(1, sizeof *t);

    if (t == NULL)
        return;
    kept->trim = t;
    t->stream = s;
    t->read = (dx_store_read){.id = kept->id,
                              .from = kept->next_first,
                              .count_max = TRIM_COUNT,
                              .bytes_max = TRIM_BYTES,
                              .loop = s->hub->loop,
                              .done = on_trim};
    store->ops->read(store, &t->read);
}

void dx_kept_trim(dx_stream *s)
{
    const dx_retention *keep = &s->ns->retention;
    dx_kept *kept = s->kept;
    bool is_over =
        kept->bytes > keep->bytes_max || kept->tail >= kept->next_first + keep->count_max;
    bool is_aging = keep->age_ms_max < UINT64_MAX;

    if (!s->is_made || s->is_deleted || s->state != DX_HOME_READY || kept->trim ||
        kept->next_first > s->log.tail || s->hub->is_ended)
        return;
    if (is_over || (is_aging && (kept->oldest_ms == 0 || is_too_old(s, kept->oldest_ms))))
        look_at_oldest(s);
}
