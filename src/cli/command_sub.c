/* duplex sub: prints the messages of a stream as they come.
 * SPDX-License-Identifier: MIT */
#include "cli/commands.h"
#include "cli/remote.h"
#include "cli/signals.h"
#include "codec/http_status.h"
#include "ws/client.h"

#include <errno.h>
#include <poll.h>
#include <stdio_ext.h>
#include <string.h>
#include <unistd.h>

enum {
    OUTPUT_BYTES = 65536, /* gathered for one write; each turn ends with one */
    WATCH_MS = 250,       /* how often a quiet pipe is asked whether somebody still reads it */
    CONNECT_MS = 30000,
    GOODBYE_MS = 1000, /* for the closing handshake, once there is nothing more to print */
    MESSAGE_BYTES_MAX = 1 << 30,
};

typedef struct sub_options {
    const char *url, *offset;
    uint64_t count; /* 0: without end */
    bool raw;
} sub_options;

typedef struct subscription {
    const sub_options *options;
    dx_cli_remote remote;
    dx_ws_worker worker;
    dx_ws_endpoint endpoint;
    dx_ws *ws; /* NULL: not open, or no more */
    dx_task flush;
    dx_timer goodbye, watch;
    dx_post stop;
    uint64_t printed_count;
    int code;
    bool is_over; /* the exit code is settled */
} subscription;

/* Says goodbye: `code` is the exit code, whatever the server still does. */
static void finish(subscription *s, int code)
{
    if (s->is_over)
        return;
    s->is_over = true;
    s->code = code;
    if (s->ws == NULL) {
        dx_loop_stop(s->remote.loop);
        return;
    }
    dx_ws_close(s->ws, 1000, (dx_bytes){NULL, 0});
    dx_timer_set(s->remote.loop, &s->goodbye, GOODBYE_MS);
}

/* ---- printing --------------------------------------------------------------------------------- */

/* Whoever read stdout has gone: nothing to complain about. Anything else is. */
static void output_failed(subscription *s)
{
    int why = errno;

    __fpurge(stdout); /* so that nobody tries again */
    clearerr(stdout);
    if (s->is_over)
        return;
    if (why != EPIPE)
        dx_cli_say("sub", "cannot write to stdout: %s", strerror(why));
    finish(s, why == EPIPE ? DX_EXIT_OK : DX_EXIT_FAILURE);
}

static void print(subscription *s, dx_bytes payload)
{
    if (fwrite(payload.at, 1, payload.size, stdout) < payload.size ||
        (!s->options->raw && putchar('\n') == EOF))
        output_failed(s);
    dx_task_queue(s->remote.loop, &s->flush); /* once for all that came in this turn */
}

static void on_flush(dx_task *task)
{
    subscription *s = DX_CONTAINER(task, subscription, flush);

    if (fflush(stdout) != 0)
        output_failed(s);
}

/* Without it `duplex sub URL | head -1` would stay until the next message. */
static void on_watch(dx_timer *timer)
{
    subscription *s = DX_CONTAINER(timer, subscription, watch);
    struct pollfd out = {.fd = STDOUT_FILENO};

    if (poll(&out, 1, 0) == 1 && (out.revents & POLLERR) != 0)
        finish(s, DX_EXIT_OK);
    else
        dx_timer_set(s->remote.loop, timer, WATCH_MS);
}

/* ---- the session ------------------------------------------------------------------------------ */

static void on_open(dx_ws *ws, void *context)
{
    subscription *s = context;
    s->ws = ws;
}

static void on_message(dx_ws *ws, const dx_ws_message *message, void *context)
{
    subscription *s = context;

    (void)ws;
    if (s->is_over)
        return;
    print(s, message->payload);
    if (++s->printed_count == s->options->count)
        finish(s, DX_EXIT_OK);
}

static void on_close(dx_ws *ws, uint16_t code, dx_bytes reason, void *context)
{
    subscription *s = context;

    (void)ws;
    s->ws = NULL;
    if (!s->is_over) {
        if (code == 1006)
            dx_cli_say("sub", "the connection was lost");
        else
            dx_cli_say("sub", "the server ended it: %u%s%.*s", code, reason.size > 0 ? " " : "",
                       DX_FORMAT(reason));
        s->code = code == 1000 || code == 1001 ? DX_EXIT_OK : DX_EXIT_FAILURE;
        s->is_over = true;
    }
    dx_loop_stop(s->remote.loop);
}

static void on_failed(void *user, dx_err err, unsigned status, const char *text)
{
    subscription *s = user;

    (void)err;
    if (!s->is_over) {
        if (status != 0 && status != 101)
            dx_cli_say("sub", "the server answered %u%s%s: %s", status,
                       dx_http_reason(status)[0] ? " " : "", dx_http_reason(status), text);
        else
            dx_cli_say("sub", "%s", text);
        s->code = DX_EXIT_FAILURE;
        s->is_over = true;
    }
    dx_loop_stop(s->remote.loop);
}

static void on_goodbye(dx_timer *timer)
{
    subscription *s = DX_CONTAINER(timer, subscription, goodbye);
    dx_loop_stop(s->remote.loop);
}

/* ---- signals ---------------------------------------------------------------------------------- */

static void on_stop(dx_post *post)
{
    finish(DX_CONTAINER(post, subscription, stop), DX_EXIT_OK);
}

static void on_signal(void *context, unsigned count)
{
    subscription *s = context;

    if (count > 1 || dx_loop_post(s->remote.loop, &s->stop) != DX_OK)
        dx_loop_stop(s->remote.loop);
}

/* ---- the command ------------------------------------------------------------------------------ */

static bool connect_it(subscription *s)
{
    dx_err err = dx_ws_connect(&s->worker, &(dx_ws_connect_options){
                                               .endpoint = &s->endpoint,
                                               .address = s->remote.address,
                                               .authority = s->remote.url.authority,
                                               .target = dx_buffer_view(&s->remote.target),
                                               .timeout_ms = CONNECT_MS,
                                               .user = s,
                                               .failed = on_failed,
                                           });
    if (err != DX_OK)
        dx_cli_say("sub", "%s", dx_err_text(err));
    return err == DX_OK;
}

static int subscribe(subscription *s)
{
    dx_cli_signals signals = {.on_signal = on_signal, .context = s};

    setvbuf(stdout, NULL, _IOFBF, OUTPUT_BYTES);
    s->code = DX_EXIT_OK; /* stopped before anything else was settled */
    s->endpoint = (dx_ws_endpoint){
        .handler = {.open = on_open, .message = on_message, .close = on_close, .context = s},
        .config = DX_WS_CONFIG_DEFAULT,
    };
    s->endpoint.config.message_bytes_max = MESSAGE_BYTES_MAX;
    dx_err err = dx_cli_signals_start(&signals);
    if (err != DX_OK) {
        dx_cli_say("sub", "cannot wait for signals: %s", dx_err_text(err));
        return DX_EXIT_FAILURE;
    }
    dx_ws_worker_init(&s->worker, &s->remote.net);
    dx_timer_set(s->remote.loop, &s->watch, WATCH_MS);
    if (connect_it(s))
        dx_loop_run(s->remote.loop);
    else
        s->code = DX_EXIT_FAILURE;
    dx_cli_signals_stop(&signals);
    return s->code;
}

static void subscription_deinit(subscription *s)
{
    s->is_over = true;
    dx_timer_clear(&s->goodbye);
    dx_timer_clear(&s->watch);
    dx_task_clear(&s->flush);
    dx_cli_remote_close(&s->remote);
    if (s->worker.net)
        dx_ws_worker_deinit(&s->worker);
}

static int add_offset(subscription *s)
{
    dx_bytes ignored;

    if (s->options->offset == NULL)
        return DX_EXIT_OK;
    if (dx_url_query_find(s->remote.url.query, DX_BYTES("offset"), &ignored)) {
        dx_cli_say("sub", "the URL has an offset already: leave out --offset, or that");
        return DX_EXIT_USAGE;
    }
    if (dx_cli_remote_add_argument(&s->remote, "offset", s->options->offset))
        return DX_EXIT_OK;
    dx_cli_say("sub", "%s", dx_err_text(DX_ERR_MEMORY));
    return DX_EXIT_FAILURE;
}

static int run(const void *options)
{
    subscription s = {.options = options, .stop = {.run = on_stop}};

    dx_task_init(&s.flush, on_flush);
    dx_timer_init(&s.goodbye, on_goodbye);
    dx_timer_init(&s.watch, on_watch);
    int code = dx_cli_remote_open(&s.remote, "sub", s.options->url);

    if (code == DX_EXIT_OK)
        code = add_offset(&s);
    if (code == DX_EXIT_OK)
        code = subscribe(&s);
    subscription_deinit(&s);
    return code;
}

static const sub_options defaults = {0};

static const dx_cli_argument arguments[] = {
    {"URL", "of the stream: ws://HOST[:PORT]/PATH or http://…", offsetof(sub_options, url), false},
};

static const dx_cli_option options[] = {
    {.name = "offset",
     .value = "O",
     .help = "where to begin: now (default), -1 for the very first, or an offset that was printed\n"
             "or sent before",
     .kind = DX_CLI_TEXT,
     .at = offsetof(sub_options, offset)},
    {.name = "count",
     .value = "N",
     .help = "leave after so many messages (default: never)",
     .kind = DX_CLI_NUMBER,
     .at = offsetof(sub_options, count),
     .min = 1,
     .max = UINT64_MAX},
    {.name = "raw",
     .help = "print messages as they are, without a newline behind each",
     .kind = DX_CLI_FLAG,
     .at = offsetof(sub_options, raw)},
};

const dx_cli_command dx_cli_sub = {
    .name = "sub",
    .summary = "prints the messages of a stream as they come",
    .about =
        "Opens a WebSocket on the stream at URL and prints each message to stdout, a newline\n"
        "behind it. Ends with 0 after --count messages, on SIGINT, when whoever reads stdout has\n"
        "gone, or when the server ends it in order (close codes 1000 and 1001); else with 1.",
    .options = options,
    .options_count = DX_COUNT(options),
    .arguments = arguments,
    .arguments_count = DX_COUNT(arguments),
    .defaults = &defaults,
    .struct_bytes = sizeof defaults,
    .value_exit = DX_EXIT_USAGE,
    .run = run,
};
