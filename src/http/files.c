/* Static files: from a path to an open file.
 * SPDX-License-Identifier: MIT */
#include "http/files.h"

#include "base/err.h"
#include "codec/http_list.h"
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

/* ---- the handler ------------------------------------------------------------------------------ */

/* Strong: another inode, size or time of change is another content; each coding has its own. */
static void write_etag(const opened *file, char etag[DX_FILES_ETAG_BYTES])
{
    const struct stat *s = &file->stat;
    uint64_t modified_ns = (uint64_t)s->st_mtim.tv_sec * 1000000000 + (uint64_t)s->st_mtim.tv_nsec;

    snprintf(etag, DX_FILES_ETAG_BYTES, "\"%" PRIx64 "-%" PRIx64 "-%" PRIx64 "%s%s\"",
             (uint64_t)s->st_ino, (uint64_t)s->st_size, modified_ns, file->coding ? "-" : "",
             file->coding ? file->coding : "");
}

static void answer_file(dx_exchange *x, const opened *file, const char *type)
{
    dx_files_content content = {
        .fd = file->fd,
        .size = (uint64_t)file->stat.st_size,
        .type = type,
        .coding = file->coding,
        .has_modified = true,
        .modified = file->stat.st_mtim.tv_sec,
    };

    write_etag(file, content.etag);
    dx_files_answer(x, &content);
}

static void answer_lookup(dx_exchange *x, lookup found, dx_bytes path)
{
    switch (found) {
    case LOOKUP_FILE: dx_unreachable("a file has its own answer");
    case LOOKUP_DIRECTORY:
        if (path.size > 0 && path.at[path.size - 1] != '/')
            dx_files_answer_slash(x, path);
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
