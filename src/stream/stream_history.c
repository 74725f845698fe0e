/* Pages of messages read back from the store: one read for all who ask for the same.
 * SPDX-License-Identifier: MIT */
#include "stream/stream_history.h"

#include "base/assert.h"

#include <stdlib.h>

enum {
    LISTS = 256, /* of pages, by stream */
    PAGE_COUNT_MAX = 4096,
    PAGE_BYTES_MAX = 256 << 10,
    ALL_BYTES_MAX = 16 << 20,
    MESSAGE_BYTES = 64, /* what a message needs beside its payload, */
    PAGE_BYTES = 1024,  /* and a page: there are not too many small ones in a list */
    UNUSED_MS = 5000,
    SERVED_COUNT_MAX = 64, /* readers served in a turn: each gets some ten thousand bytes to send */
};

typedef struct dx_history_page {
    dx_list link; /* in a list of history->pages; alone once it was dropped */
    dx_list used; /* in history->used */
    uint64_t id, from,
        end; /* it has what is retained of the messages from `from` up to `end`, exclusive */
    uint64_t used_ms;
    size_t bytes;
    uint32_t refs;
    dx_message **messages;
    size_t count;
} dx_history_page;

/* A read of the store on its way. */
typedef struct fetch {
    dx_store_read read;
    dx_list link; /* in history->fetches */
    dx_history *history;
    dx_stream_kind kind;
    dx_list waiting; /* of dx_history_ask.link */
} fetch;

struct dx_history {
    dx_loop *loop;
    dx_store *store;
    dx_list pages[LISTS];
    dx_list used; /* the page used longest ago first */
    size_t bytes;
    dx_list fetches;
    dx_list ready; /* of dx_history_ask.link: to be answered */
    dx_task serve;
    bool is_ended;
};

/* ---- pages ------------------------------------------------------------------------------------ */

static void page_unref(dx_history_page *page)
{
    if (page == NULL || --page->refs > 0)
        return;
    for (size_t i = 0; i < page->count; i++)
        dx_message_unref(page->messages[i]);
    free(page->messages);
    free(page);
}

static void page_drop(dx_history *h, dx_history_page *page)
{
    dx_list_remove(&page->link);
    dx_list_remove(&page->used);
    h->bytes -= page->bytes;
    page_unref(page);
}

/* The messages are taken out of `read`. NULL: no memory. */
static dx_history_page *page_new(dx_store_read *read)
{
    dx_history_page *page = malloc(sizeof *page);

    if (page == NULL)
        return NULL;
    *page = (dx_history_page){.id = read->id,
                              .from = read->from,
                              .end = read->messages[read->count - 1]->sequence + 1,
                              .bytes = PAGE_BYTES,
                              .refs = 1,
                              .messages = read->messages,
                              .count = read->count};
    dx_list_init(&page->link);
    dx_list_init(&page->used);
    for (size_t i = 0; i < page->count; i++)
        page->bytes += page->messages[i]->size + MESSAGE_BYTES;
    read->messages = NULL;
    read->count = 0;
    return page;
}

static void page_use(dx_history *h, dx_history_page *page)
{
    page->used_ms = dx_loop_now_ms(h->loop);
    dx_list_remove(&page->used);
    dx_list_append(&h->used, &page->used);
}

static void page_keep(dx_history *h, dx_history_page *page)
{
    page->refs++;
    dx_list_append(&h->pages[page->id % LISTS], &page->link);
    h->bytes += page->bytes;
    page_use(h, page);
    while (h->bytes > ALL_BYTES_MAX)
        page_drop(h, DX_CONTAINER(h->used.next, dx_history_page, used));
}

static bool page_has(const dx_history_page *page, const dx_history_ask *ask)
{
    return page->id == ask->id && page->from <= ask->from && ask->from < page->end;
}

/* Answers from `page`, which has what is asked for. */
static void take_page(dx_history_ask *ask, dx_history_page *page)
{
    uint64_t first = page->messages[0]->sequence;
    size_t skipped = ask->from > first ? (size_t)(ask->from - first) : 0;

    page->refs++;
    ask->page = page;
    ask->status = DX_STORE_OK;
    ask->messages = page->messages + skipped;
    ask->count = page->count - skipped;
}

/* ---- asking ----------------------------------------------------------------------------------- */

/* Also finds how far it is of use to read: what another page has is not read again. */
static dx_history_page *find_page(dx_history *h, const dx_history_ask *ask, uint64_t *until)
{
    const dx_list *list = &h->pages[ask->id % LISTS];

    for (dx_list *l = list->next; l != list; l = l->next) {
        dx_history_page *page = DX_CONTAINER(l, dx_history_page, link);
        if (page_has(page, ask))
            return page;
        if (page->id == ask->id && page->from > ask->from)
            *until = dx_min_u64(*until, page->from - 1);
    }
    return NULL;
}

/* One that will have what is needed, or may have it: a page ends by bytes, too. Who has waited for such a
 * one and did not find it there does not try its luck again. */
static fetch *find_fetch(dx_history *h, const dx_history_ask *ask, uint64_t *until)
{
    for (dx_list *l = h->fetches.next; l != &h->fetches; l = l->next) {
        fetch *f = DX_CONTAINER(l, fetch, link);
        if (f->read.id != ask->id)
            continue;
        if (f->read.from == ask->from ||
            (f->read.from < ask->from && ask->from - f->read.from < f->read.count_max &&
             !ask->has_waited))
            return f;
        if (f->read.from > ask->from)
            *until = dx_min_u64(*until, f->read.from - 1);
    }
    return NULL;
}

static void on_fetched(dx_store_read *read);

/* NULL: no memory. */
static fetch *fetch_new(dx_history *h, const dx_history_ask *ask, uint64_t until)
{
    fetch *f = calloc(1, sizeof *f);

    if (f == NULL)
        return NULL;
    f->history = h;
    f->kind = ask->kind;
    f->read =
        (dx_store_read){.id = ask->id,
                        .from = ask->from,
                        .count_max = (size_t)dx_min_u64(PAGE_COUNT_MAX, until + 1 - ask->from),
                        .bytes_max = PAGE_BYTES_MAX,
                        .loop = h->loop,
                        .done = on_fetched};
    dx_list_init(&f->waiting);
    dx_list_init(&f->link);
    dx_list_append(&h->fetches, &f->link);
    return f;
}

/* Without messages; true. */
static bool give_up(dx_history_ask *ask, dx_store_status status)
{
    ask->status = status;
    ask->page = NULL;
    ask->messages = NULL;
    ask->count = 0;
    return true;
}

bool dx_history_get(dx_history *h, dx_history_ask *ask)
{
    uint64_t until = ask->until;
    dx_history_page *page = find_page(h, ask, &until);

    dx_assert(ask->from <= ask->until);
    dx_list_init(&ask->link);
    ask->is_missing = false;
    if (page && !h->is_ended)
        page_use(h, page);
    if (page) {
        take_page(ask, page);
        return true;
    }
    if (h->is_ended)
        return give_up(ask, DX_STORE_CLOSED);
    fetch *f = find_fetch(h, ask, &until);
    bool is_new = f == NULL;
    if (is_new && (f = fetch_new(h, ask, until)) == NULL)
        return give_up(ask, DX_STORE_MEMORY);
    dx_list_append(&f->waiting, &ask->link);
    if (is_new)
        h->store->ops->read(h->store, &f->read);
    return false;
}

void dx_history_release(dx_history_ask *ask)
{
    page_unref(ask->page);
    ask->page = NULL;
    ask->messages = NULL;
    ask->count = 0;
}

/* ---- answers ---------------------------------------------------------------------------------- */

static void answer(dx_history *h, dx_history_ask *ask)
{
    bool is_again = ask->is_missing;

    ask->has_waited |= is_again;
    ask->is_missing = false;
    if (is_again && !dx_history_get(h, ask))
        return;
    ask->done(ask);
}

/* As many a turn as do not keep others waiting. */
static void serve(dx_history *h)
{
    uint32_t left = h->is_ended ? UINT32_MAX : SERVED_COUNT_MAX;
    dx_list *first;

    while (left-- > 0 && (first = dx_list_take_first(&h->ready)) != NULL)
        answer(h, DX_CONTAINER(first, dx_history_ask, link));
    if (!dx_list_is_empty(&h->ready))
        dx_task_queue(h->loop, &h->serve);
}

static void on_serve(dx_task *task)
{
    serve(DX_CONTAINER(task, dx_history, serve));
}

/* What one who has waited is answered; page: NULL if there is none. */
static void settle(dx_history_ask *ask, const fetch *f, dx_history_page *page,
                   dx_store_status status)
{
    (void)give_up(ask, status);
    if (page && page_has(page, ask))
        take_page(ask, page);
    else
        ask->is_missing = status == DX_STORE_OK && (page || f->read.from != ask->from);
}

void dx_history_set_kind(dx_store_read *read, dx_stream_kind kind)
{
    for (size_t i = 0; i < read->count; i++)
        if (read->messages[i]->kind != (uint8_t)kind) /* else others may have it already */
            read->messages[i]->kind = (uint8_t)kind;
}

static void on_fetched(dx_store_read *read)
{
    fetch *f = DX_CONTAINER(read, fetch, read);
    dx_history *h = f->history;
    dx_store_status status = read->status;
    dx_history_page *page = NULL;
    dx_list *first;

    dx_history_set_kind(read, f->kind);
    if (read->count > 0 && (page = page_new(read)) == NULL)
        status = DX_STORE_MEMORY;
    dx_list_remove(&f->link);
    while ((first = dx_list_take_first(&f->waiting)) != NULL) {
        settle(DX_CONTAINER(first, dx_history_ask, link), f, page, status);
        dx_list_append(&h->ready, first);
    }
    if (page && !h->is_ended)
        page_keep(h, page);
    page_unref(page);
    dx_store_read_release(read);
    free(f);
    serve(h);
}

/* ---- life ------------------------------------------------------------------------------------- */

dx_history *dx_history_new(dx_loop *loop, dx_store *store)
{
    dx_history *h = calloc(1, sizeof *h);

    if (h == NULL)
        return NULL;
    h->loop = loop;
    h->store = store;
    for (size_t i = 0; i < LISTS; i++)
        dx_list_init(&h->pages[i]);
    dx_list_init(&h->used);
    dx_list_init(&h->fetches);
    dx_list_init(&h->ready);
    dx_task_init(&h->serve, on_serve);
    return h;
}

void dx_history_sweep(dx_history *h)
{
    uint64_t now_ms = dx_loop_now_ms(h->loop);

    while (!dx_list_is_empty(&h->used)) {
        dx_history_page *page = DX_CONTAINER(h->used.next, dx_history_page, used);
        if (now_ms - page->used_ms <= UNUSED_MS)
            return;
        page_drop(h, page);
    }
}

void dx_history_end(dx_history *h)
{
    h->is_ended = true;
    dx_task_clear(&h->serve);
    serve(h);
}

void dx_history_free(dx_history *h)
{
    if (h == NULL)
        return;
    dx_assert(dx_list_is_empty(&h->fetches) && dx_list_is_empty(&h->ready));
    while (!dx_list_is_empty(&h->used))
        page_drop(h, DX_CONTAINER(h->used.next, dx_history_page, used));
    free(h);
}
