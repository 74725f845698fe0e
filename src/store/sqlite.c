/* A store in one SQLite database: opening, its threads, loads and reads, closing.
 * SPDX-License-Identifier: MIT */
#include "base/clock.h"
#include "base/err.h"
#include "store/directory.h"
#include "store/doubt.h"
#include "store/recover.h"
#include "store/sqlite_inner.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    UNSETTLED_BYTES = 32 << 20,
    CACHE_BYTES = 32 << 20,
    LOG_BYTES = 16 << 20,
    SETTLE_MS = 10000,
    WRITER = 0,
    READER = 1,
    CARE_FIRST_MS = 50,
    IDS_RESERVED = 1 << 20,
};

/* ---- the ear ---- */

static dx_ear *ear_new(void)
{
    dx_ear *ear = calloc(1, sizeof *ear);

    if (ear == NULL)
        return NULL;
    pthread_mutex_init(&ear->lock, NULL);
    ear->refs = 1;
    return ear;
}

dx_ear *dx_ear_ref(dx_ear *ear)
{
    pthread_mutex_lock(&ear->lock);
    ear->refs++;
    pthread_mutex_unlock(&ear->lock);
    return ear;
}

void dx_ear_unref(dx_ear *ear)
{
    if (ear == NULL)
        return;
    pthread_mutex_lock(&ear->lock);
    bool is_last = --ear->refs == 0;
    pthread_mutex_unlock(&ear->lock);
    if (!is_last)
        return;
    pthread_mutex_destroy(&ear->lock);
    free(ear);
}

/* ---- ids ---- */

static void on_reserve(dx_post *post)
{
    dx_sqlite *s = DX_CONTAINER(post, dx_sqlite, reserve_post);
    if (!atomic_load(&s->is_closing))
        dx_task_queue(s->writer_loop, &s->task);
}

/* Half a million ids are given before the bound on disk is reached. Should the disk not take a new one by then, the
 * next transaction that succeeds raises it: no id is on disk above the bound. */
static uint64_t sqlite_new_id(dx_store *store)
{
    dx_sqlite *s = dx_sqlite_of(store);
    uint64_t id = atomic_fetch_add(&s->next_id, 1);

    if (id + IDS_RESERVED / 2 >= atomic_load(&s->ids_reserved) && !atomic_load(&s->is_closing) &&
        !atomic_exchange(&s->is_reserving, true))
        if (dx_loop_post(s->writer_loop, &s->reserve_post) != DX_OK)
            dx_unreachable("the store's mailbox has no bound");
    return id;
}

/* ---- loads and reads, on the reader's thread ---- */

/* What a load's views point into. */
typedef struct loaded {
    dx_facts facts;
    dx_buffer record;
} loaded;

static void on_load_answer(dx_post *post)
{
    dx_store_load *load = DX_CONTAINER(post, dx_store_load, post);
    loaded *views = load->work;

    load->done(load);
    if (views == NULL)
        return;
    dx_facts_free(&views->facts);
    dx_buffer_clear(&views->record);
    free(views);
}

static void on_read_answer(dx_post *post)
{
    dx_store_read *read = DX_CONTAINER(post, dx_store_read, post);
    read->done(read);
}

typedef struct scanned {
    dx_buffer rows, bytes;
} scanned;

static void on_scan_answer(dx_post *post)
{
    dx_store_scan *scan = DX_CONTAINER(post, dx_store_scan, post);
    scanned *views = scan->work;

    scan->done(scan);
    if (views == NULL)
        return;
    dx_buffer_clear(&views->rows);
    dx_buffer_clear(&views->bytes);
    free(views);
}

static dx_loop *loop_of(const dx_post *post)
{
    if (post->run == on_scan_answer)
        return DX_CONTAINER(post, const dx_store_scan, post)->loop;
    if (post->run == dx_sqlite_on_commit_answer)
        return DX_CONTAINER(post, const dx_store_commit, post)->loop;
    if (post->run == on_load_answer)
        return DX_CONTAINER(post, const dx_store_load, post)->loop;
    dx_assert(post->run == on_read_answer);
    return DX_CONTAINER(post, const dx_store_read, post)->loop;
}

static void load_now(dx_sqlite *s, dx_store_load *load)
{
    loaded *views = calloc(1, sizeof *views);

    load->status = DX_STORE_MEMORY;
    if (views)
        dx_image_load(&s->image, load, &views->facts, &views->record);
    atomic_fetch_add_explicit(&s->loads, 1, memory_order_relaxed);
    load->work = views;
    load->post.run = on_load_answer;
    dx_answers_send(&s->reader_answers, &load->post);
}

static void read_now(dx_sqlite *s, dx_store_read *read)
{
    dx_image_read(&s->image, read);
    atomic_fetch_add_explicit(&s->reads, 1, memory_order_relaxed);
    read->post.run = on_read_answer;
    dx_answers_send(&s->reader_answers, &read->post);
}

static void scan_now(dx_sqlite *s, dx_store_scan *scan)
{
    scanned *views = calloc(1, sizeof *views);

    scan->status = DX_STORE_MEMORY;
    if (views)
        dx_image_scan(&s->image, scan, &views->rows, &views->bytes);
    scan->work = views;
    scan->post.run = on_scan_answer;
    dx_answers_send(&s->reader_answers, &scan->post);
}

static void leave(dx_sqlite *s, dx_post *post)
{
    post->next = NULL;
    *s->late_end = post;
    s->late_end = &post->next;
}

static void on_load_given(dx_post *post)
{
    dx_store_load *load = DX_CONTAINER(post, dx_store_load, post);
    dx_sqlite *s = load->work;

    if (atomic_load(&s->is_closing))
        leave(s, post);
    else
        load_now(s, load);
}

static void on_read_given(dx_post *post)
{
    dx_store_read *read = DX_CONTAINER(post, dx_store_read, post);
    dx_sqlite *s = read->work;

    if (atomic_load(&s->is_closing))
        leave(s, post);
    else
        read_now(s, read);
}

static void on_scan_given(dx_post *post)
{
    dx_store_scan *scan = DX_CONTAINER(post, dx_store_scan, post);
    dx_sqlite *s = scan->work;

    if (atomic_load(&s->is_closing))
        leave(s, post);
    else
        scan_now(s, scan);
}

static void sqlite_load(dx_store *store, dx_store_load *load)
{
    dx_sqlite *s = dx_sqlite_of(store);

    if (atomic_load(&s->is_closed)) {
        load->status = DX_STORE_CLOSED;
        load->done(load);
        return;
    }
    load->work = s; /* until it is there */
    load->post.run = on_load_given;
    if (dx_loop_post(s->reader_loop, &load->post) != DX_OK)
        dx_unreachable("the store's mailbox has no bound");
}

static void sqlite_read(dx_store *store, dx_store_read *read)
{
    dx_sqlite *s = dx_sqlite_of(store);

    if (atomic_load(&s->is_closed)) {
        read->status = DX_STORE_CLOSED;
        read->messages = NULL, read->count = 0;
        read->done(read);
        return;
    }
    read->work = s;
    read->post.run = on_read_given;
    if (dx_loop_post(s->reader_loop, &read->post) != DX_OK)
        dx_unreachable("the store's mailbox has no bound");
}

static void sqlite_scan(dx_store *store, dx_store_scan *scan)
{
    dx_sqlite *s = dx_sqlite_of(store);

    if (atomic_load(&s->is_closed)) {
        scan->status = DX_STORE_CLOSED;
        scan->done(scan);
        return;
    }
    scan->work = s;
    scan->post.run = on_scan_given;
    if (dx_loop_post(s->reader_loop, &scan->post) != DX_OK)
        dx_unreachable("the store's mailbox has no bound");
}

/* ---- the threads ---- */

static void on_task(dx_task *task)
{
    dx_sqlite *s = DX_CONTAINER(task, dx_sqlite, task);

    dx_sqlite_commit_group(s);
    dx_sqlite_care(s);
    if (s->queue && s->spare)
        dx_task_queue(s->writer_loop, &s->task);
}

static dx_err start_thread(dx_loop *loop, uint32_t index, void *context)
{
    dx_sqlite *s = context;

    pthread_setname_np(pthread_self(), index == WRITER ? "duplex-store" : "duplex-read");
    dx_answers_begin(index == WRITER ? &s->writer_answers : &s->reader_answers, loop);
    if (index == READER) {
        s->reader_loop = loop;
        return DX_OK;
    }
    s->writer_loop = loop;
    dx_timer_set(loop, &s->care_timer, CARE_FIRST_MS);
    return DX_OK;
}

static void end_thread(dx_loop *loop, uint32_t index, void *context)
{
    dx_sqlite *s = context;

    dx_timer_clear(index == WRITER ? &s->writer_answers.retry : &s->reader_answers.retry);
    if (index == READER)
        return;
    dx_timer_clear(&s->care_timer);
    dx_task_clear(&s->task);
}

/* ---- closing ---- */

/* On the closing thread: what is left is done, and answered. */
static void finish(dx_sqlite *s)
{
    while (s->queue || s->late) {
        while (s->queue)
            dx_sqlite_commit_group(s);
        while (s->late) {
            dx_post *post = s->late;
            s->late = post->next;
            if (s->late == NULL)
                s->late_end = &s->late;
            if (post->run == on_load_given)
                load_now(s, DX_CONTAINER(post, dx_store_load, post));
            else if (post->run == on_scan_given)
                scan_now(s, DX_CONTAINER(post, dx_store_scan, post));
            else
                read_now(s, DX_CONTAINER(post, dx_store_read, post));
        }
    }
}

static void close_threads(dx_sqlite *s)
{
    if (s->workers == NULL)
        return;
    atomic_store(&s->is_closing, true);
    dx_workers_stop(s->workers);
    dx_workers_join(s->workers);
    dx_answers_close(&s->writer_answers);
    dx_answers_close(&s->reader_answers);
    finish(s);
    pthread_mutex_lock(&s->ear->lock);
    s->ear->loop = NULL;
    pthread_mutex_unlock(&s->ear->lock);
    atomic_store(&s->is_closed, true);
    dx_workers_free(s->workers); /* runs what was given in `done` */
    finish(s);
    if (atomic_load(&s->next_id) >
        atomic_load(&s->ids_reserved)) { /* given faster than it was raised */
        atomic_store(&s->is_reserving, true);
        dx_sqlite_commit_group(s);
    }
    dx_sqlite_settle_all(s);
}

static void sqlite_free(dx_store *store)
{
    dx_sqlite *s = dx_sqlite_of(store);

    close_threads(s);
    dx_unsettled_deinit(&s->unsettled);
    dx_buffer_clear(&s->scratch);
    dx_buffer_clear(&s->settler.scratch);
    free(s->spare);
    dx_ear_unref(s->ear);
    dx_db_close(&s->reader_db);
    dx_db_close(&s->writer_db);
    dx_log_mark_close(&s->mark);
    if (s->vfs.below)
        dx_checked_vfs_deinit(&s->vfs);
    if (s->lock_fd >= 0)
        close(s->lock_fd);
    pthread_rwlock_destroy(&s->settling);
    pthread_mutex_destroy(&s->state_lock);
    free(s);
}

static const dx_store_ops sqlite_ops = {
    .new_id = sqlite_new_id,
    .load = sqlite_load,
    .commit = dx_sqlite_commit,
    .read = sqlite_read,
    .scan = sqlite_scan,
    .free = sqlite_free,
};

/* ---- opening ---- */

static int get_meta(dx_db *db, const char *key, uint64_t *ret)
{
    sqlite3_stmt *get = dx_db_statement(db, DX_SQL_META_GET);

    *ret = 1;
    if (get == NULL)
        return sqlite3_extended_errcode(db->handle);
    sqlite3_bind_text(get, 1, key, -1, SQLITE_STATIC);
    int code = sqlite3_step(get);
    if (code == SQLITE_ROW)
        *ret = dx_column_u64(get, 0);
    sqlite3_reset(get);
    return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : code;
}

static int set_meta(dx_db *db, const char *key, uint64_t value)
{
    sqlite3_stmt *set = dx_db_statement(db, DX_SQL_META_SET);

    if (set == NULL)
        return sqlite3_extended_errcode(db->handle);
    sqlite3_bind_text(set, 1, key, -1, SQLITE_STATIC);
    dx_bind_u64(set, 2, value);
    return dx_db_run(db, set);
}

/* A new life: numbers that were given in the last one and are not on disk are not given again. */
static int begin_life(dx_sqlite *s)
{
    dx_db *db = &s->writer_db;
    uint64_t next_id = 1;
    int code = dx_db_run_ids(db, DX_SQL_BEGIN_IMMEDIATE, 0, 0);

    if (code == SQLITE_OK)
        code = get_meta(db, "life", &s->life);
    if (code == SQLITE_OK)
        code = get_meta(db, "next_id", &next_id);
    s->life++;
    if (code == SQLITE_OK)
        code = set_meta(db, "life", s->life);
    if (code == SQLITE_OK)
        code = set_meta(db, "next_id", next_id + IDS_RESERVED);
    if (code == SQLITE_OK)
        code = dx_db_commit(db);
    dx_db_rollback(db);
    atomic_store(&s->next_id, next_id);
    atomic_store(&s->ids_reserved, next_id + IDS_RESERVED);
    return code;
}

static int on_logged(void *context, sqlite3 *handle, const char *name, int pages)
{
    ((dx_sqlite *)context)->log_pages = (uint32_t)pages;
    return SQLITE_OK;
}

static dx_err open_database(dx_sqlite *s, const dx_store_sqlite_options *options, char *why)
{
    size_t cache_bytes = options->cache_bytes ? options->cache_bytes : CACHE_BYTES;
    char path[PATH_MAX];

    snprintf(path, sizeof path, "%s/%s", options->directory, DX_STORE_FILE);
    dx_err err = dx_checked_vfs_init(&s->vfs, options->vfs);
    if (err != DX_OK) {
        s->vfs.below = NULL;
        dx_why(why, "%s: no such way to files: %s", path, options->vfs ? options->vfs : "?");
        return err;
    }
    dx_directory_make_private(path);
    err = dx_log_mark_check(path, why);
    if (err == DX_OK)
        err = dx_db_open(&s->writer_db, path, s->vfs.name, false, why);
    if (err == DX_OK)
        err = dx_db_open(&s->reader_db, path, s->vfs.name, true, why);
    if (err != DX_OK)
        return err;
    int code = dx_db_set_cache(&s->writer_db, cache_bytes / 2);
    if (code == SQLITE_OK)
        code = dx_db_set_cache(&s->reader_db, cache_bytes / 2);
    dx_log_mark_open(&s->mark, path);
    sqlite3_wal_hook(s->writer_db.handle, on_logged, s);
    s->is_unsure = dx_doubt_dispel(s->writer_db.handle) != SQLITE_OK;
    if (code == SQLITE_OK)
        code = begin_life(s);
    if (code == SQLITE_OK)
        return DX_OK;
    dx_why(why, "%s: %s", path, sqlite3_errmsg(s->writer_db.handle));
    return dx_db_status(code) == DX_STORE_MEMORY ? DX_ERR_MEMORY : DX_ERR_SYSTEM;
}

static dx_err start(dx_sqlite *s, char *why)
{
    dx_err err = dx_recover(&s->writer_db, &s->unsettled, &s->journal_next, why);

    if (err != DX_OK)
        return err;
    s->settled_ms = dx_clock_ms();
    s->settler = (dx_settler){&s->writer_db, &s->unsettled, &s->settling, s->life, 0, true, {0}};
    s->image = (dx_image){&s->reader_db, &s->unsettled, &s->settling, s->life};
    err = dx_workers_new(
        &(dx_workers_options){
            .count = 2,
            .loop = {.kind = DX_LOOP_EPOLL, .recv_bytes = 4096, .posts_count_max = UINT32_MAX},
            .context = s,
            .start = start_thread,
            .end = end_thread},
        &s->workers);
    if (err != DX_OK)
        dx_why(why, "cannot start the store's threads: %s", dx_err_text(err));
    else
        s->ear->loop = s->writer_loop;
    return err;
}

static dx_sqlite *sqlite_new(const dx_store_sqlite_options *options)
{
    dx_sqlite *s = calloc(1, sizeof *s);
    pthread_rwlockattr_t attributes;
    size_t log_bytes = options->log_bytes ? options->log_bytes : LOG_BYTES;

    if (s == NULL)
        return NULL;
    s->store.ops = &sqlite_ops;
    s->lock_fd = -1;
    dx_log_mark_init(&s->mark);
    s->queue_end = &s->queue;
    s->late_end = &s->late;
    s->unsettled_bytes_max =
        options->unsettled_bytes_max ? options->unsettled_bytes_max : UNSETTLED_BYTES;
    s->log_pages_max = s->log_pages_try = (uint32_t)(log_bytes / DX_PAGE_BYTES);
    s->settle_after_ms = options->settle_ms ? options->settle_ms : SETTLE_MS;
    s->reserve_post.run = on_reserve;
    dx_unsettled_init(&s->unsettled);
    pthread_rwlockattr_init(
        &attributes); /* who settles waits for one look, not for all that follow */
    pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&s->settling, &attributes);
    pthread_rwlockattr_destroy(&attributes);
    pthread_mutex_init(&s->state_lock, NULL);
    dx_answers_init(&s->writer_answers, loop_of);
    dx_answers_init(&s->reader_answers, loop_of);
    dx_task_init(&s->task, on_task);
    dx_timer_init(&s->care_timer, dx_sqlite_on_care_timer);
    for (size_t i = 0; i < DX_FAILING_LISTS; i++)
        dx_list_init(&s->failing[i]);
    s->ear = ear_new();
    s->spare = dx_sqlite_spare_new(s);
    if (s->ear && s->spare)
        return s;
    sqlite_free(&s->store);
    return NULL;
}

dx_err dx_store_sqlite_open(const dx_store_sqlite_options *options, dx_store **ret, char *why)
{
    dx_sqlite *s = sqlite_new(options);

    if (s == NULL) {
        dx_why(why, "out of memory");
        return DX_ERR_MEMORY;
    }
    dx_err err = dx_directory_take(options->directory, &s->lock_fd, why);
    if (err == DX_OK)
        err = open_database(s, options, why);
    if (err == DX_OK)
        err = start(s, why);
    if (err == DX_OK)
        *ret = &s->store;
    else
        sqlite_free(&s->store);
    return err;
}

void dx_store_sqlite_state_get(dx_store *store, dx_store_sqlite_state *ret)
{
    dx_sqlite *s = dx_sqlite_of(store);

    pthread_mutex_lock(&s->state_lock);
    *ret = s->state;
    pthread_mutex_unlock(&s->state_lock);
    uint64_t answered = atomic_load_explicit(&s->answered, memory_order_relaxed);
    ret->waiting = atomic_load_explicit(&s->given, memory_order_relaxed) - answered;
    ret->loads = atomic_load_explicit(&s->loads, memory_order_relaxed);
    ret->reads = atomic_load_explicit(&s->reads, memory_order_relaxed);
}
