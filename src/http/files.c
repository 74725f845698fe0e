/* Static files: from a path to an open file, and from that to the head of the answer.
 * SPDX-License-Identifier: MIT */
#include "http/files.h"

#include "base/clock.h"
#include "base/err.h"
#include "codec/http_conditions.h"
#include "codec/http_date.h"
#include "codec/http_list.h"
#include "codec/url.h"
#include "http/exchange.h"
#include "http/files_inner.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    NAME_BYTES = PATH_MAX, /* of a path below the directory, with index.html or .gz and the NUL */
    ETAG_BYTES = 64,
    QUERY_BYTES_MAX = 4096, /* repeated in a redirect */
    HEADERS_MAX = 8,
    RACES_MAX = 8, /* tries while somebody renames directories under us */
};

struct dx_files {
    int root; /* O_PATH */
};

/* Every open goes through here. RESOLVE_BENEATH: neither "..", nor an absolute path, nor a symbolic
 * link leads out, whatever the name is and whatever is renamed meanwhile. */
static int open_beneath(int root, const char *name, uint64_t flags)
{
    struct open_how how = {.flags = flags | O_CLOEXEC,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    long fd = -1;

    for (int i = 0; i < RACES_MAX; i++) {
        fd = syscall(SYS_openat2, root, name, &how, sizeof how);
        if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
            break;
    }
    return (int)fd;
}

/* EPERM: the answer of older containers to system calls they do not know. */
static bool is_openat2_missing(int code)
{
    return code == ENOSYS || code == EPERM || code == EINVAL || code == E2BIG;
}

dx_err dx_files_new(const char *directory, dx_files **ret)
{
    int root = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    dx_files *files;

    if (root < 0)
        return errno == ENOTDIR ? DX_ERR_NOT_FOUND : dx_err_from_errno(errno);
    int probe = open_beneath(root, ".", O_PATH);
    dx_err err = probe >= 0                  ? DX_OK
                 : is_openat2_missing(errno) ? DX_ERR_UNSUPPORTED
                                             : dx_err_from_errno(errno);
    if (probe >= 0)
        close(probe);
    files = err == DX_OK ? malloc(sizeof *files) : NULL;
    if (files == NULL) {
        close(root);
        return err == DX_OK ? DX_ERR_MEMORY : err;
    }
    files->root = root;
    *ret = files;
    return DX_OK;
}

void dx_files_free(dx_files *files)
{
    if (files == NULL)
        return;
    close(files->root);
    free(files);
}

/* ---- finding the file ------------------------------------------------------------------------- */

typedef enum lookup {
    LOOKUP_FILE,
    LOOKUP_DIRECTORY, /* nothing is open then, nor after the others */
    LOOKUP_NOTHING,
    LOOKUP_BUSY,   /* this machine is short of something */
    LOOKUP_BROKEN, /* an error of the disk */
} lookup;

typedef struct opened {
    int fd;
    struct stat stat;
    const char *coding; /* of a precompressed sibling; NULL: as it is */
} opened;

static lookup lookup_of_errno(int code)
{
    switch (code) {
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case EAGAIN:
    case EINTR: return LOOKUP_BUSY;
    case EIO: return LOOKUP_BROKEN;
    default: return LOOKUP_NOTHING; /* among them EXDEV: it would have led out */
    }
}

/* O_NONBLOCK: to open a fifo must not wait for its writer. */
static lookup open_file(const dx_files *files, const char *name, opened *ret)
{
    opened file = {.fd = open_beneath(files->root, name, O_RDONLY | O_NONBLOCK | O_NOCTTY)};

    if (file.fd < 0)
        return lookup_of_errno(errno);
    lookup found = LOOKUP_BROKEN;
    if (fstat(file.fd, &file.stat) == 0)
        found = S_ISREG(file.stat.st_mode)   ? LOOKUP_FILE
                : S_ISDIR(file.stat.st_mode) ? LOOKUP_DIRECTORY
                                             : LOOKUP_NOTHING;
    if (found == LOOKUP_FILE)
        *ret = file;
    else
        close(file.fd);
    return found;
}

static bool is_hidden(dx_bytes path)
{
    dx_bytes segment;

    while (dx_bytes_split(&path, '/', &segment))
        if (segment.size > 0 && segment.at[0] == '.' &&
            !dx_bytes_equal(segment, DX_BYTES(".well-known")))
            return true;
    return false;
}

/* The name below the directory that `path` (decoded) stands for; false if there can be none. */
static bool name_of(dx_bytes path, char name[NAME_BYTES])
{
    bool is_directory = path.size == 0 || path.at[path.size - 1] == '/';
    static const char index[] = "index.html", longest_suffix[] = ".br";

    if (path.size + sizeof index + sizeof longest_suffix > NAME_BYTES || is_hidden(path))
        return false;
    if (path.size > 0 && path.at[0] == '/') /* "//" in the URL: not from the root of this machine */
        return false;
    dx_copy(name, path.at, path.size);
    memcpy(name + path.size, is_directory ? index : "", is_directory ? sizeof index : 1);
    return strlen(name) == path.size + (is_directory ? sizeof index - 1 : 0); /* no NUL inside */
}

/* Puts a precompressed sibling in the place of `file` if the client takes it and there is one. */
static void prefer_sibling(const dx_files *files, const dx_exchange *x, char name[NAME_BYTES],
                           opened *file)
{
    static const struct {
        const char *coding, *suffix;
    } codings[] = {{"br", ".br"}, {"gzip", ".gz"}};
    unsigned best = 0;
    size_t size = strlen(name);
    opened sibling;

    for (size_t i = 0; i < DX_COUNT(codings); i++) {
        unsigned wanted = dx_http_accepts_coding(&x->head.fields, dx_bytes_of(codings[i].coding));
        if (wanted <= best)
            continue;
        memcpy(name + size, codings[i].suffix, strlen(codings[i].suffix) + 1);
        if (open_file(files, name, &sibling) == LOOKUP_FILE) {
            close(file->fd);
            *file = sibling;
            file->coding = codings[i].coding;
            best = wanted;
        }
    }
    name[size] = '\0';
}

/* ---- the answer's head ------------------------------------------------------------------------ */

typedef struct answer {
    dx_header headers[HEADERS_MAX];
    size_t headers_count;
    char etag[ETAG_BYTES];
    uint8_t modified[DX_HTTP_DATE_SIZE];
    uint8_t content_range[DX_HTTP_CONTENT_RANGE_MAX];
    char multipart[sizeof "multipart/byteranges; boundary=" + DX_FILES_BOUNDARY_BYTES];
} answer;

static void add(answer *a, const char *name, dx_bytes value)
{
    dx_assert(a->headers_count < HEADERS_MAX);
    a->headers[a->headers_count++] = (dx_header){dx_bytes_of(name), value};
}

/* Strong: another inode, size or time of change is another content; each coding has its own. */
static void write_validators(answer *a, const opened *file)
{
    const struct stat *s = &file->stat;
    uint64_t modified_ns = (uint64_t)s->st_mtim.tv_sec * 1000000000 + (uint64_t)s->st_mtim.tv_nsec;

    snprintf(a->etag, sizeof a->etag, "\"%" PRIx64 "-%" PRIx64 "-%" PRIx64 "%s%s\"",
             (uint64_t)s->st_ino, (uint64_t)s->st_size, modified_ns, file->coding ? "-" : "",
             file->coding ? file->coding : "");
    dx_http_date_write(s->st_mtim.tv_sec, a->modified);
}

/* What also a 304 carries (RFC 9110 §15.4.5). */
static void add_validators(answer *a)
{
    add(a, "ETag", dx_bytes_of(a->etag));
    add(a, "Cache-Control", DX_BYTES("no-cache"));
    add(a, "Vary", DX_BYTES("Accept-Encoding"));
}

static void add_content(answer *a, const opened *file)
{
    add_validators(a);
    add(a, "Last-Modified", dx_bytes_at(a->modified, sizeof a->modified));
    add(a, "Accept-Ranges", DX_BYTES("bytes"));
    add(a, "X-Content-Type-Options", DX_BYTES("nosniff"));
    if (file->coding)
        add(a, "Content-Encoding", dx_bytes_of(file->coding));
}

static void add_content_range(answer *a, const dx_files_body *body)
{
    size_t size = dx_http_content_range_write(body->ranges[0], body->size, a->content_range);
    add(a, "Content-Range", dx_bytes_at(a->content_range, size));
}

static void answer_unsatisfiable(dx_exchange *x, uint64_t size)
{
    uint8_t memory[DX_HTTP_CONTENT_RANGE_MAX];
    char detail[96];
    dx_header header = {DX_BYTES("Content-Range"),
                        {memory, dx_http_content_range_write_none(size, memory)}};

    snprintf(detail, sizeof detail,
             "None of the ranges is in the file, which has %" PRIu64 " bytes.", size);
    dx_exchange_problem_with(x, 416, detail, &header, 1);
}

static void answer_not_modified(dx_exchange *x, answer *a)
{
    add_validators(a);
    dx_exchange_respond(
        x, &(dx_response){.status = 304, .headers = a->headers, .headers_count = a->headers_count});
}

/* Head and content: 200, or 206 if `body` has ranges. */
static void answer_content(dx_exchange *x, answer *a, const opened *file, dx_files_body *body)
{
    bool is_partial = body->ranges_count > 0, is_multipart = body->ranges_count > 1;
    bool is_head = x->head.method == DX_HTTP_HEAD;
    uint64_t length = dx_files_body_init(body);
    const char *type = body->type;

    add_content(a, file);
    if (is_multipart) {
        snprintf(a->multipart, sizeof a->multipart, "multipart/byteranges; boundary=%s",
                 body->boundary);
        type = a->multipart;
    } else if (is_partial) {
        add_content_range(a, body);
    }
    dx_exchange_start(x,
                      &(dx_response){.status = is_partial ? 206 : 200,
                                     .type = dx_bytes_of(type),
                                     .headers = a->headers,
                                     .headers_count = a->headers_count},
                      length);
    if (is_head) {
        close(body->fd);
        dx_exchange_end(x);
    } else {
        dx_files_body_send(x, body);
    }
}

static dx_http_condition check_conditions(const dx_exchange *x, const answer *a, const opened *file,
                                          bool *use_range)
{
    dx_http_validators current = {
        .exists = true,
        .has_modified = true,
        .etag = dx_bytes_of(a->etag),
        .modified = file->stat.st_mtim.tv_sec,
        .now = (int64_t)(dx_clock_wall_ms() / 1000),
    };
    return dx_http_conditions_check(x->head.method, &x->head.fields, &current, use_range);
}

/* Takes file->fd. */
static void answer_file(dx_exchange *x, const opened *file, const char *type)
{
    answer a = {.headers_count = 0};
    bool use_range = false;
    dx_http_range_status range = DX_HTTP_RANGE_IGNORED;
    dx_files_body *body = dx_arena_take(&x->arena, sizeof *body);

    if (body == NULL) {
        close(file->fd);
        dx_exchange_problem(x, 503, "Out of memory, try again later.");
        return;
    }
    *body = (dx_files_body){.fd = file->fd, .size = (uint64_t)file->stat.st_size, .type = type};
    write_validators(&a, file);
    dx_http_condition condition = check_conditions(x, &a, file, &use_range);
    if (use_range)
        range = dx_http_range_read(dx_http_fields_value(&x->head.fields, DX_HTTP_RANGE), body->size,
                                   body->ranges, &body->ranges_count);
    if (condition == DX_HTTP_CONDITION_PROCEED && range != DX_HTTP_RANGE_UNSATISFIABLE) {
        answer_content(x, &a, file, body);
        return;
    }
    close(file->fd);
    if (condition == DX_HTTP_CONDITION_NOT_MODIFIED)
        answer_not_modified(x, &a);
    else if (condition == DX_HTTP_CONDITION_FAILED)
        dx_exchange_problem(x, 412,
                            "The file is not the one that If-Match or If-Unmodified-Since names.");
    else
        answer_unsatisfiable(x, body->size);
}

/* To the same path with a slash, so that a page's relative links are right. Relative, because only
 * the client knows what stands before it. */
static void answer_slash(dx_exchange *x, dx_bytes path)
{
    uint8_t location[3 * NAME_MAX + 2 + QUERY_BYTES_MAX];
    dx_bytes query = x->head.query, segment = path, rest = path;

    while (dx_bytes_split(&rest, '/', &segment)) /* to the last */
        ;
    size_t size = dx_url_encode(segment, false, location, 3 * NAME_MAX);
    dx_assert(size <= 3 * NAME_MAX); /* it is a name on this machine */
    location[size++] = '/';
    if (query.at && query.size <= QUERY_BYTES_MAX) {
        location[size++] = '?';
        dx_copy(location + size, query.at, query.size);
        size += query.size;
    }
    dx_header header = {DX_BYTES("Location"), {location, size}};
    dx_exchange_respond(x, &(dx_response){.status = 301, .headers = &header, .headers_count = 1});
}

/* ---- the handler ------------------------------------------------------------------------------ */

static void answer_lookup(dx_exchange *x, lookup found, dx_bytes path)
{
    switch (found) {
    case LOOKUP_FILE: dx_unreachable("a file has its own answer");
    case LOOKUP_DIRECTORY:
        if (path.size > 0 && path.at[path.size - 1] != '/')
            answer_slash(x, path);
        else
            dx_exchange_problem(x, 404, "There is no file at this path.");
        return;
    case LOOKUP_NOTHING: dx_exchange_problem(x, 404, "There is no file at this path."); return;
    case LOOKUP_BUSY:
        dx_exchange_problem(x, 503, "Too busy to open the file, try again later.");
        return;
    case LOOKUP_BROKEN: dx_exchange_problem(x, 500, "The file cannot be read."); return;
    }
}

void dx_files_handle(dx_exchange *x, void *context)
{
    const dx_files *files = context;
    dx_bytes path = dx_exchange_parameter(x, "**");
    char name[NAME_BYTES];
    opened file = {.fd = -1};

    if (x->head.method != DX_HTTP_GET && x->head.method != DX_HTTP_HEAD) {
        dx_exchange_answer_method(x, DX_BIT(DX_HTTP_GET));
        return;
    }
    lookup found = name_of(path, name) ? open_file(files, name, &file) : LOOKUP_NOTHING;
    if (found != LOOKUP_FILE) {
        answer_lookup(x, found, path);
        return;
    }
    const dx_files_type *type = dx_files_type_of(name);
    /* Ranges are of the file as it is: offsets into a coding would differ from client to client. */
    if (!type->is_compressed && !dx_http_fields_has(&x->head.fields, DX_HTTP_RANGE))
        prefer_sibling(files, x, name, &file);
    answer_file(x, &file, type->text);
}
