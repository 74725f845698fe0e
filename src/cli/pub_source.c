/* Where the messages of duplex pub come from: the command line, files, stdin; whole or line by line.
 * SPDX-License-Identifier: MIT */
#include "cli/pub.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { READ_BYTES = 65536 };

static dx_pub_next fail(const char *name, const char *why)
{
    dx_cli_say("pub", "%.200s: %s", name, why);
    return DX_PUB_FAILED;
}

static dx_pub_next give(dx_bytes message, dx_buffer *ret)
{
    return dx_buffer_append(ret, message) ? DX_PUB_MESSAGE
                                          : fail("message", dx_err_text(DX_ERR_MEMORY));
}

static dx_pub_next read_whole(dx_pub_source *s, dx_buffer *ret)
{
    for (;;) {
        if (ret->size > DX_HTTP_CLIENT_BODY_MAX || !dx_buffer_reserve(ret, READ_BYTES))
            return fail(s->name, "too large for one message: at most 1 GiB");
        size_t got = fread(ret->at + ret->size, 1, READ_BYTES, s->file);
        ret->size += got;
        if (ferror(s->file))
            return fail(s->name, strerror(errno));
        if (got == 0)
            return DX_PUB_MESSAGE;
    }
}

static dx_pub_next read_line(dx_pub_source *s, dx_buffer *ret)
{
    errno = 0;
    ssize_t got = getline(&s->line, &s->line_room, s->file);

    if (got < 0)
        return ferror(s->file) || errno == ENOMEM ? fail(s->name, strerror(errno)) : DX_PUB_NO_MORE;
    return give(dx_bytes_at(s->line, (size_t)got - (s->line[got - 1] == '\n')), ret);
}

static void close_file(dx_pub_source *s)
{
    if (s->file && s->file != stdin)
        fclose(s->file);
    s->file = NULL;
}

static dx_pub_next read_file(dx_pub_source *s, const char *name, dx_buffer *ret)
{
    s->name = name ? name : "stdin";
    s->file = name ? fopen(name, "re") : stdin;
    if (s->file == NULL)
        return fail(s->name, strerror(errno));
    if (s->options->lines)
        return read_line(s, ret);
    dx_pub_next found = read_whole(s, ret);
    close_file(s);
    return found;
}

/* MESSAGE, then each --data, then each --file; with none of them stdin. */
static dx_pub_next begin_next(dx_pub_source *s, dx_buffer *ret)
{
    const dx_pub_options *o = s->options;
    bool has_message = o->message && strcmp(o->message, "-") != 0;
    size_t i = s->next++;

    if (has_message && i-- == 0)
        return give(dx_bytes_of(o->message), ret);
    if (i < o->data.count)
        return give(dx_bytes_of(o->data.at[i]), ret);
    i -= o->data.count;
    if (i < o->files.count)
        return read_file(s, o->files.at[i], ret);
    bool is_stdin = !has_message && o->data.count == 0 && o->files.count == 0;
    return is_stdin && i == 0 ? read_file(s, NULL, ret) : DX_PUB_NO_MORE;
}

static bool has_more(const dx_pub_source *s)
{
    const dx_pub_options *o = s->options;
    return s->next < (o->message != NULL) + o->data.count + o->files.count;
}

dx_pub_next dx_pub_source_next(dx_pub_source *s, dx_buffer *ret)
{
    for (;;) {
        dx_pub_next found = s->file ? read_line(s, ret) : begin_next(s, ret);
        if (found != DX_PUB_NO_MORE || (s->file == NULL && !has_more(s)))
            return found;
        close_file(s); /* its lines are over: the next file */
        if (!has_more(s))
            return DX_PUB_NO_MORE;
    }
}

void dx_pub_source_deinit(dx_pub_source *s)
{
    close_file(s);
    free(s->line);
}
