/* What a subscription prints: messages, the cursor file, progress.
 * SPDX-License-Identifier: MIT */
#include "cli/sub.h"

#include "cli/options.h"
#include "codec/base64.h"
#include "codec/json.h"
#include "codec/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    OUTPUT_BYTES = 65536, /* gathered for one write; each turn ends with one */
    WATCH_MS = 250,       /* how often a quiet pipe is asked whether somebody still reads it */
    PROGRESS_MS = 1000,
};

/* ---- stdout ----------------------------------------------------------------------------------- */

/* Whoever read stdout has gone: nothing to complain about. Anything else is. */
static void output_failed(dx_sub *s)
{
    int why = errno;

    __fpurge(stdout); /* so that nobody tries again */
    clearerr(stdout);
    if (s->is_over)
        return;
    if (why != EPIPE)
        dx_cli_say("sub", "cannot write to stdout: %s", strerror(why));
    dx_sub_finish(s, why == EPIPE ? DX_EXIT_OK : DX_EXIT_FAILURE);
}

static bool put(dx_bytes bytes)
{
    return fwrite(bytes.at, 1, bytes.size, stdout) == bytes.size;
}

static bool put_plain(const dx_sub *s, dx_bytes payload)
{
    return put(payload) && (s->options->raw || putchar('\n') != EOF);
}

static bool reserve(dx_sub *s, size_t size)
{
    dx_buffer_clear(&s->scratch);
    errno = ENOMEM;
    return dx_buffer_reserve(&s->scratch, size);
}

/* JSON as it is, on one line: line ends stand only where blanks may. */
static bool put_json(dx_sub *s, dx_bytes payload)
{
    payload = dx_json_trim(payload);
    if (!reserve(s, payload.size))
        return false;
    for (size_t i = 0; i < payload.size; i++)
        s->scratch.at[i] = payload.at[i] == '\n' || payload.at[i] == '\r' ? ' ' : payload.at[i];
    return put((dx_bytes){s->scratch.at, payload.size});
}

static bool put_text(dx_sub *s, dx_bytes payload)
{
    size_t size = dx_json_write_string(payload, NULL, 0);

    if (!reserve(s, size))
        return false;
    return put((dx_bytes){s->scratch.at, dx_json_write_string(payload, s->scratch.at, size)});
}

static bool put_base64(dx_sub *s, dx_bytes payload)
{
    size_t size = DX_BASE64_TEXT_SIZE(payload.size);

    if (!reserve(s, size + 1))
        return false;
    dx_base64_write(payload, (char *)s->scratch.at);
    return putchar('"') != EOF && put((dx_bytes){s->scratch.at, size}) && putchar('"') != EOF;
}

/* {"offset":…,"data":…}: JSON as such, other text as a string; what is no text as {"offset":…,"base64":…}. */
static bool put_record(dx_sub *s, dx_bytes offset, dx_bytes payload)
{
    size_t error_at;
    bool is_json = dx_json_check(payload, DX_JSON_DEPTH_DEFAULT, &error_at) == DX_JSON_OK;
    bool is_text = is_json || dx_utf8_is_valid(payload);
    bool ok = offset.size > 0 ? printf("{\"offset\":\"%.*s\",", DX_FORMAT(offset)) > 0
                              : fputs("{\"offset\":null,", stdout) != EOF;

    ok = ok && fputs(is_text ? "\"data\":" : "\"base64\":", stdout) != EOF;
    if (is_json)
        ok = ok && put_json(s, payload);
    else
        ok = ok && (is_text ? put_text(s, payload) : put_base64(s, payload));
    return ok && fputs("}\n", stdout) != EOF;
}

void dx_sub_print(dx_sub *s, dx_bytes offset, dx_bytes payload)
{
    if (s->is_over)
        return;
    if (!(s->options->json ? put_record(s, offset, payload) : put_plain(s, payload)))
        output_failed(s);
    dx_task_queue(s->remote.loop, &s->flush); /* once for all that came in this turn */
    s->bytes += payload.size;
    if (offset.size > 0)
        dx_sub_move(s, offset);
    dx_sub_progressed(s);
    if (++s->count == s->options->count)
        dx_sub_finish(s, DX_EXIT_OK);
}

void dx_sub_move(dx_sub *s, dx_bytes cursor)
{
    if (cursor.size == 0 || cursor.size >= sizeof s->cursor || s->is_over)
        return;
    memcpy(s->cursor, cursor.at, cursor.size);
    s->cursor[cursor.size] = '\0';
    if (s->options->cursor_file)
        dx_task_queue(s->remote.loop, &s->flush);
}

void dx_sub_gap(dx_sub *s, dx_bytes lost, dx_bytes goes_on)
{
    dx_cli_say("sub", "gap: %.*s%s not kept any more; going on at %.*s",
               DX_FORMAT(lost.size > 0 ? lost : DX_BYTES("some")),
               dx_bytes_equal(lost, DX_BYTES("1")) ? " message is" : " messages are",
               DX_FORMAT(goes_on));
    dx_sub_move(s, goes_on);
}

/* ---- the cursor file -------------------------------------------------------------------------- */

bool dx_sub_read_cursor(dx_sub *s)
{
    const char *name = s->options->cursor_file;
    char text[DX_SUB_CURSOR_BYTES];
    int fd = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;

    if (name == NULL || (fd < 0 && errno == ENOENT))
        return true;
    ssize_t size = fd >= 0 ? read(fd, text, sizeof text) : -1;
    if (fd >= 0)
        close(fd);
    size_t line = size > 0 ? dx_bytes_find(dx_bytes_at(text, (size_t)size), '\n') : 0;
    if (size < 0 || line >= sizeof text) {
        dx_cli_say("sub", "--cursor-file %.200s: %s", name,
                   size < 0 ? strerror(errno) : "it holds more than a cursor");
        return false;
    }
    memcpy(s->cursor, text, line);
    s->cursor[line] = '\0';
    memcpy(s->saved, s->cursor, sizeof s->saved);
    return true;
}

/* Whole or not at all: a new file takes the place of the old one. */
static bool write_cursor(const char *name, const char *cursor)
{
    char next[4096];
    int size = snprintf(next, sizeof next, "%s.%d", name, (int)getpid());
    FILE *to = size > 0 && size < (int)sizeof next ? fopen(next, "we") : NULL;

    if (to == NULL)
        return false;
    bool ok = fprintf(to, "%s\n", cursor) > 0;
    ok = fclose(to) == 0 && ok;
    if (ok && rename(next, name) == 0)
        return true;
    unlink(next);
    return false;
}

/* What it says was printed; what was printed since is printed again. */
static void save_cursor(dx_sub *s)
{
    if (s->options->cursor_file == NULL || strcmp(s->saved, s->cursor) == 0)
        return;
    if (!write_cursor(s->options->cursor_file, s->cursor)) {
        dx_cli_say("sub", "cannot write --cursor-file %.200s: %s", s->options->cursor_file,
                   strerror(errno));
        dx_sub_finish(s, DX_EXIT_FAILURE);
        return;
    }
    memcpy(s->saved, s->cursor, sizeof s->saved);
}

static void on_flush(dx_task *task)
{
    dx_sub *s = DX_CONTAINER(task, dx_sub, flush);

    if (fflush(stdout) != 0)
        output_failed(s);
    else
        save_cursor(s);
}

/* ---- a pipe, a terminal ----------------------------------------------------------------------- */

/* Without it `duplex sub URL | head -1` would stay until the next message. */
static void on_watch(dx_timer *timer)
{
    dx_sub *s = DX_CONTAINER(timer, dx_sub, watch);
    struct pollfd out = {.fd = STDOUT_FILENO};

    if (poll(&out, 1, 0) == 1 && (out.revents & POLLERR) != 0)
        dx_sub_finish(s, DX_EXIT_OK);
    else
        dx_timer_set(s->remote.loop, timer, WATCH_MS);
}

static void on_progress(dx_timer *timer)
{
    dx_sub *s = DX_CONTAINER(timer, dx_sub, progress);

    fprintf(stderr, "\r%" PRIu64 " messages, %" PRIu64 " bytes, %" PRIu64 "/s\033[K", s->count,
            s->bytes, (s->count - s->count_before) * 1000 / PROGRESS_MS);
    s->count_before = s->count;
    s->is_progress_shown = true;
    dx_timer_set(s->remote.loop, timer, PROGRESS_MS);
}

void dx_sub_print_init(dx_sub *s)
{
    setvbuf(stdout, NULL, _IOFBF, OUTPUT_BYTES);
    dx_timer_set(s->remote.loop, &s->watch, WATCH_MS);
    if (isatty(STDERR_FILENO) &&
        !isatty(STDOUT_FILENO)) /* else it would stand among the messages */
        dx_timer_set(s->remote.loop, &s->progress, PROGRESS_MS);
}

void dx_sub_print_prepare(dx_sub *s)
{
    dx_task_init(&s->flush, on_flush);
    dx_timer_init(&s->watch, on_watch);
    dx_timer_init(&s->progress, on_progress);
}

void dx_sub_print_deinit(dx_sub *s)
{
    dx_timer_clear(&s->watch);
    dx_timer_clear(&s->progress);
    dx_task_clear(&s->flush);
    if (s->is_progress_shown)
        fputc('\n', stderr);
    dx_buffer_clear(&s->scratch);
}
