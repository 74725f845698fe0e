/* The list of what was revoked, and its file: a JSON object a line.
 * SPDX-License-Identifier: MIT */
#include "serve/revoked.h"

#include "base/buffer.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/random.h"
#include "codec/json.h"
#include "serve/server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINE_BYTES_MAX = 2048, FILE_BYTES_MAX = 256 * 1048576 };

typedef struct entry {
    dx_map_node node;
    uint64_t before_ms, until_ms;
    uint8_t key[]; /* "i" or "s", then the text */
} entry;

static dx_bytes key_of(const dx_revocation *r, uint8_t memory[256])
{
    dx_bytes text = r->id.size > 0 ? r->id : r->subject;

    memory[0] = r->id.size > 0 ? 'i' : 's';
    dx_copy(memory + 1, text.at, text.size);
    return dx_bytes_at(memory, 1 + text.size);
}

static bool is_good(const dx_revocation *r)
{
    return (r->id.size > 0) != (r->subject.size > 0) && r->id.size <= DX_TOKEN_ID_BYTES_MAX &&
           (r->subject.size == 0 || dx_subject_is_good(r->subject));
}

/* ---- the list ---------------------------------------------------------------------------------- */

/* What is there already becomes wider, never narrower. */
static dx_err put(dx_revoked *revoked, const dx_revocation *r)
{
    uint8_t memory[256];
    dx_bytes key = key_of(r, memory);
    dx_map_node *found = dx_map_find(&revoked->map, key);
    entry *e = found ? DX_CONTAINER(found, entry, node) : NULL;

    if (e) {
        e->before_ms = e->before_ms > r->before_ms ? e->before_ms : r->before_ms;
        e->until_ms = e->until_ms > r->until_ms ? e->until_ms : r->until_ms;
        return DX_OK;
    }
    if (revoked->map.count >= DX_REVOKED_MAX)
        return DX_ERR_TOO_LARGE;
    e = malloc(sizeof *e + key.size);
    if (e == NULL)
        return DX_ERR_MEMORY;
    *e = (entry){.before_ms = r->before_ms, .until_ms = r->until_ms};
    dx_copy(e->key, key.at, key.size);
    e->node.key = dx_bytes_at(e->key, key.size);
    if (dx_map_insert(&revoked->map, &e->node))
        return DX_OK;
    free(e);
    return DX_ERR_MEMORY;
}

static bool has(const dx_revoked *revoked, const dx_revocation *r, uint64_t issued_ms,
                uint64_t now_ms)
{
    uint8_t memory[256];
    dx_map_node *found = dx_map_find(&revoked->map, key_of(r, memory));
    const entry *e = found ? DX_CONTAINER(found, entry, node) : NULL;

    return e && now_ms < e->until_ms && (r->id.size > 0 || issued_ms <= e->before_ms);
}

bool dx_revoked_has(dx_revoked *revoked, const dx_principal *who)
{
    uint64_t now_ms = dx_clock_wall_ms();
    bool is = false;

    if (who == NULL)
        return false;
    pthread_mutex_lock(&revoked->lock);
    if (revoked->map.count > 0 && who->token_id.size > 0)
        is = has(revoked, &(dx_revocation){.id = who->token_id}, 0, now_ms);
    if (revoked->map.count > 0 && who->subject.size > 0 && !is)
        is = has(revoked, &(dx_revocation){.subject = who->subject}, who->issued_ms, now_ms);
    pthread_mutex_unlock(&revoked->lock);
    return is;
}

/* ---- the file ---------------------------------------------------------------------------------- */

static size_t line_of(const dx_revocation *r, char line[LINE_BYTES_MAX])
{
    uint8_t text[6 * 255 + 2];
    bool is_id = r->id.size > 0;
    size_t size = dx_json_write_string(is_id ? r->id : r->subject, text, sizeof text);

    return (size_t)snprintf(line, LINE_BYTES_MAX,
                            "{\"%s\":%.*s,\"before_ms\":%llu,\"until_ms\":%llu}\n",
                            is_id ? "jti" : "sub", (int)size, (const char *)text,
                            (unsigned long long)r->before_ms, (unsigned long long)r->until_ms);
}

static bool number_of(dx_bytes object, const char *name, uint64_t *ret)
{
    dx_bytes value;

    return dx_json_object_find(object, dx_bytes_of(name), &value) &&
           dx_bytes_decimal(value, UINT64_MAX, ret);
}

static dx_err read_line(dx_revoked *revoked, dx_bytes line)
{
    uint8_t memory[LINE_BYTES_MAX];
    dx_revocation r = {0};
    size_t error_at;
    dx_bytes text;
    bool is_id;

    if (line.size > sizeof memory || dx_json_check(line, 2, &error_at) != DX_JSON_OK ||
        !number_of(line, "before_ms", &r.before_ms) || !number_of(line, "until_ms", &r.until_ms))
        return DX_ERR_NAME;
    is_id = dx_json_object_find(line, DX_BYTES("jti"), &text);
    if (!is_id && !dx_json_object_find(line, DX_BYTES("sub"), &text))
        return DX_ERR_NAME;
    dx_bytes read = dx_bytes_at(memory, dx_json_string_read(text, memory));
    *(is_id ? &r.id : &r.subject) = read;
    if (!is_good(&r))
        return DX_ERR_NAME;
    return r.until_ms <= dx_clock_wall_ms() ? DX_OK : put(revoked, &r);
}

/* A line that a crash has cut stands at the end, and was never answered: it is cut off. */
static dx_err read_lines(dx_revoked *revoked, dx_bytes text, off_t *whole)
{
    dx_bytes line;
    dx_err err = DX_OK;

    while (err == DX_OK && dx_bytes_find(text, '\n') < text.size) {
        dx_bytes_split(&text, '\n', &line);
        *whole += (off_t)line.size + 1;
        err = line.size > 0 ? read_line(revoked, line) : DX_OK;
    }
    return err;
}

static dx_err read_file(dx_revoked *revoked)
{
    struct stat status;
    off_t whole = 0;
    dx_err err = DX_OK;

    if (fstat(revoked->fd, &status) != 0 || status.st_size > FILE_BYTES_MAX)
        return DX_ERR_SYSTEM;
    size_t size = (size_t)status.st_size, got = 0;
    uint8_t *text = malloc(size + 1);
    if (text == NULL)
        return DX_ERR_MEMORY;
    for (ssize_t n; got < size && (n = read(revoked->fd, text + got, size - got)) > 0;)
        got += (size_t)n;
    err = got == size ? read_lines(revoked, dx_bytes_at(text, size), &whole) : DX_ERR_SYSTEM;
    free(text);
    if (err == DX_OK && whole < status.st_size && ftruncate(revoked->fd, whole) != 0)
        err = DX_ERR_SYSTEM;
    return err;
}

dx_err dx_revoked_init(dx_revoked *revoked, const char *file, char why[DX_REVOKED_WHY_BYTES])
{
    uint64_t seed[2];
    dx_err err = DX_OK;

    dx_random_fill(seed, sizeof seed);
    *revoked = (dx_revoked){.fd = -1};
    pthread_mutex_init(&revoked->lock, NULL);
    dx_map_init(&revoked->map, seed);
    if (file == NULL || file[0] == '\0')
        return DX_OK;
    revoked->fd = open(file, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    err = revoked->fd >= 0 ? read_file(revoked) : dx_err_from_errno(errno);
    if (err == DX_OK)
        return DX_OK;
    snprintf(why, DX_REVOKED_WHY_BYTES, "revocations %.300s: %s", file,
             err == DX_ERR_NAME ? "a line in it is none that this server wrote" : dx_err_text(err));
    dx_revoked_deinit(revoked);
    return err;
}

void dx_revoked_deinit(dx_revoked *revoked)
{
    for (dx_map_node *n = dx_map_next(&revoked->map, NULL), *next; n; n = next) {
        next = dx_map_next(&revoked->map, n);
        free(DX_CONTAINER(n, entry, node));
    }
    dx_map_deinit(&revoked->map);
    if (revoked->fd >= 0)
        close(revoked->fd);
    revoked->fd = -1;
    pthread_mutex_destroy(&revoked->lock);
}

static dx_err keep(dx_revoked *revoked, const dx_revocation *r)
{
    char line[LINE_BYTES_MAX];
    size_t size = line_of(r, line);

    if (revoked->fd < 0)
        return DX_OK;
    off_t before = lseek(revoked->fd, 0, SEEK_END);
    if (write(revoked->fd, line, size) == (ssize_t)size && fdatasync(revoked->fd) == 0)
        return DX_OK;
    (void)!ftruncate(revoked->fd, before); /* half a line would spoil the next one */
    return DX_ERR_SYSTEM;
}

dx_err dx_revoked_add(dx_revoked *revoked, const dx_revocation *r)
{
    if (!is_good(r))
        return DX_ERR_NAME;
    pthread_mutex_lock(&revoked->lock);
    dx_err err = keep(revoked, r);
    if (err == DX_OK)
        err = put(revoked, r);
    pthread_mutex_unlock(&revoked->lock);
    return err;
}

/* ---- live sessions ----------------------------------------------------------------------------- */

typedef struct end_post {
    dx_post post;
    dx_worker *worker;
} end_post;

static bool is_revoked(void *context, const dx_principal *who)
{
    return dx_revoked_has(context, who);
}

static void on_end(dx_post *post)
{
    end_post *p = DX_CONTAINER(post, end_post, post);

    dx_leases_end_if(&p->worker->leases, is_revoked, &p->worker->server->revoked);
    free(p);
}

/* A mailbox that is full is tried by who revokes: the entry counts already. */
static dx_err tell(dx_worker *w)
{
    end_post *p = malloc(sizeof *p);

    if (p == NULL)
        return DX_ERR_MEMORY;
    *p = (end_post){.post.run = on_end, .worker = w};
    dx_err err = dx_loop_post(w->loop, &p->post);
    if (err != DX_OK)
        free(p);
    return err;
}

dx_err dx_server_revoke(dx_server *s, const dx_revocation *r)
{
    if (s->workers == NULL || atomic_load(&s->is_stopped))
        return DX_ERR_CLOSED;
    dx_err err = dx_revoked_add(&s->revoked, r);
    for (uint32_t i = 0; err == DX_OK && i < s->workers_count; i++)
        err = tell(&s->worker[i]);
    return err;
}
