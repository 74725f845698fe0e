/* duplex sub: prints the messages of a stream as they come.
 * SPDX-License-Identifier: MIT */
#include "cli/commands.h"
#include "cli/signals.h"
#include "cli/sub.h"

#include <inttypes.h>
#include <string.h>

enum {
    GOODBYE_MS = 1000,    /* for the closing handshake, once there is nothing more to print */
    STEADY_MS = 10000,    /* a connection that lasted so long was none of a row of failures */
    RETRY_MS_MAX = 60000, /* a server may ask for so long a pause */
};

/* ---- life ------------------------------------------------------------------------------------- */

void dx_sub_finish(dx_sub *s, int code)
{
    if (s->is_over)
        return;
    s->is_over = true;
    s->code = code;
    dx_timer_clear(&s->again);
    if (s->door->close(s))
        dx_timer_set(s->remote.loop, &s->goodbye, GOODBYE_MS);
    else
        dx_loop_stop(s->remote.loop);
}

void dx_sub_gone(dx_sub *s)
{
    dx_loop_stop(s->remote.loop);
}

static void on_goodbye(dx_timer *timer)
{
    dx_sub_gone(DX_CONTAINER(timer, dx_sub, goodbye));
}

void dx_sub_opened(dx_sub *s)
{
    s->was_open = true;
    s->opened_ms = dx_loop_now_ms(s->remote.loop);
    s->retry_ms = 0;
}

void dx_sub_progressed(dx_sub *s)
{
    s->failures = 0;
}

void dx_sub_lost(dx_sub *s, const char *why, uint32_t after_ms)
{
    uint64_t retries = s->options->no_retry ? 0 : s->options->retries;

    if (s->is_over)
        return;
    if (s->was_open && dx_loop_now_ms(s->remote.loop) - s->opened_ms >= STEADY_MS)
        s->failures = 0;
    if (!s->was_open || s->failures >= retries) {
        if (s->failures > 0)
            dx_cli_say("sub", "%s; gave up after %" PRIu64 " tries", why, s->failures);
        else
            dx_cli_say("sub", "%s", why);
        dx_sub_finish(s, DX_EXIT_FAILURE);
        return;
    }
    uint32_t delay_ms = dx_cli_backoff_ms(++s->failures);
    if (after_ms > 0)
        delay_ms += (uint32_t)dx_min_u64(after_ms, RETRY_MS_MAX);
    dx_cli_say("sub", "%s; trying again in %.1f s", why, delay_ms / 1000.0);
    dx_timer_set(s->remote.loop, &s->again, delay_ms);
}

void dx_sub_failed(dx_sub *s, dx_err err, const char *text, uint32_t after_ms)
{
    char why[DX_CLI_FAILURE_BYTES];

    dx_cli_remote_failure_write(&s->remote, err, text, why);
    dx_sub_lost(s, why, after_ms);
}

void dx_sub_refused(dx_sub *s)
{
    static const unsigned passing[] = {408, 425, 429, 500, 502, 503, 504};
    char text[DX_CLI_REFUSAL_BYTES];

    dx_cli_refusal_write(s->status, dx_buffer_view(&s->body), text);
    for (size_t i = 0; i < DX_COUNT(passing); i++)
        if (s->status == passing[i]) {
            dx_sub_lost(s, text, s->retry_after_ms);
            return;
        }
    if (!s->is_over)
        dx_cli_say("sub", "%s", text);
    dx_sub_finish(s, DX_EXIT_FAILURE);
}

/* What has happened last goes before what happens next. */
static void connect_it(dx_sub *s)
{
    (s->is_last_due ? &dx_sub_history : s->door)->connect(s);
}

static void on_again(dx_timer *timer)
{
    connect_it(DX_CONTAINER(timer, dx_sub, again));
}

/* ---- signals ---------------------------------------------------------------------------------- */

static void on_stop(dx_post *post)
{
    dx_sub_finish(DX_CONTAINER(post, dx_sub, stop), DX_EXIT_OK);
}

static void on_signal(void *context, unsigned count)
{
    dx_sub *s = context;

    if (count > 1 || dx_loop_post(s->remote.loop, &s->stop) != DX_OK)
        dx_loop_stop(s->remote.loop);
}

/* ---- where to begin --------------------------------------------------------------------------- */

void dx_sub_target_begin(dx_sub *s)
{
    s->remote.target.size = s->target_size;
}

void dx_sub_target_add(dx_sub *s, const char *name, const char *value)
{
    if (dx_cli_remote_add_argument(&s->remote, name, value))
        return;
    dx_cli_say("sub", "%s", dx_err_text(DX_ERR_MEMORY));
    dx_sub_finish(s, DX_EXIT_FAILURE);
}

/* An offset in the URL is where to begin, and not to be asked for again after that: takes it out. */
static int take_offset(dx_sub *s)
{
    dx_bytes query = s->remote.url.query, name, value, offset;
    dx_buffer *target = &s->remote.target;

    if (!dx_url_query_find(query, DX_BYTES("offset"), &value))
        return DX_EXIT_OK;
    if (s->options->offset || value.size >= sizeof s->cursor ||
        dx_url_query_decode(value, (uint8_t *)s->cursor, sizeof s->cursor - 1, &offset) !=
            DX_URL_OK) {
        dx_cli_say("sub", s->options->offset
                              ? "the URL has an offset already: leave out --offset, or that"
                              : "the offset in the URL is none");
        return DX_EXIT_USAGE;
    }
    s->cursor[offset.size] = '\0';
    target->size = dx_bytes_find(dx_buffer_view(target), '?'); /* it only gets shorter */
    for (const char *glue = "?"; dx_url_query_next(&query, &name, &value);) {
        if (dx_bytes_equal(name, DX_BYTES("offset")))
            continue;
        size_t size = name.size + (value.at ? 1 + value.size : 0);
        if (!dx_buffer_append(target, dx_bytes_of(glue)) ||
            !dx_buffer_append(target, dx_bytes_at(name.at, size)))
            return DX_EXIT_FAILURE;
        glue = "&";
    }
    return DX_EXIT_OK;
}

static int begin(dx_sub *s)
{
    const dx_sub_options *o = s->options;
    int code = take_offset(s);

    if (code != DX_EXIT_OK)
        return code;
    s->target_size = s->remote.target.size;
    if (o->offset && strlen(o->offset) >= sizeof s->cursor) {
        dx_cli_say("sub", "--offset is longer than %d bytes", DX_SUB_CURSOR_BYTES - 1);
        return DX_EXIT_USAGE;
    }
    if (o->offset)
        memcpy(s->cursor, o->offset, strlen(o->offset) + 1);
    if (!dx_sub_read_cursor(s))
        return DX_EXIT_FAILURE;
    s->is_last_due = o->last > 0 && s->cursor[0] == '\0';
    if (o->last > 0 && o->offset) {
        dx_cli_say("sub", "--last and --offset both say where to begin: leave out one");
        return DX_EXIT_USAGE;
    }
    return DX_EXIT_OK;
}

/* ---- the command ------------------------------------------------------------------------------ */

static int subscribe(dx_sub *s)
{
    dx_cli_signals signals = {.on_signal = on_signal, .context = s};

    s->code = DX_EXIT_OK; /* stopped before anything else was settled */
    dx_err err = dx_cli_signals_start(&signals);
    if (err != DX_OK) {
        dx_cli_say("sub", "cannot wait for signals: %s", dx_err_text(err));
        return DX_EXIT_FAILURE;
    }
    dx_ws_worker_init(&s->worker, &s->remote.net);
    dx_sub_print_init(s);
    connect_it(s);
    dx_loop_run(s->remote.loop); /* one that was stopped before does not run */
    dx_cli_signals_stop(&signals);
    return s->code;
}

static const dx_sub_door *door_of(const char *via)
{
    static const struct {
        const char *via;
        const dx_sub_door *door;
    } doors[] = {{"ws", &dx_sub_ws},
                 {"sse", &dx_sub_sse},
                 {"long-poll", &dx_sub_long_poll},
                 {"http", &dx_sub_history}};

    for (size_t i = 0; i < DX_COUNT(doors); i++)
        if (strcmp(doors[i].via, via) == 0)
            return doors[i].door;
    return NULL;
}

static void sub_deinit(dx_sub *s)
{
    s->is_over = true;
    dx_timer_clear(&s->goodbye);
    dx_timer_clear(&s->again);
    dx_sub_print_deinit(s);
    dx_http_client_free(s->client);
    dx_cli_remote_close(&s->remote);
    if (s->worker.net)
        dx_ws_worker_deinit(&s->worker);
    dx_sse_reader_deinit(&s->events);
    dx_buffer_clear(&s->body);
}

static int run(const void *options)
{
    dx_sub s = {.options = options, .stop = {.run = on_stop}};

    s.door = door_of(s.options->via);
    dx_timer_init(&s.goodbye, on_goodbye);
    dx_timer_init(&s.again, on_again);
    dx_sse_reader_init(&s.events, DX_SSE_DATA_BYTES_DEFAULT);
    dx_sub_print_prepare(&s);
    int code = dx_cli_remote_open(&s.remote, "sub", s.options->url, &s.options->reach);

    if (code == DX_EXIT_OK)
        code = begin(&s);
    if (code == DX_EXIT_OK)
        code = subscribe(&s);
    sub_deinit(&s);
    return code;
}

static const char *const vias[] = {"ws", "sse", "long-poll", "http", NULL};
static const dx_sub_options defaults = {.via = "ws", .retries = 12};

static const dx_cli_argument arguments[] = {
    {"URL", "of the stream: ws://HOST[:PORT]/PATH, wss://…, http://… or https://…", offsetof(dx_sub_options, url),
     false},
};

static const dx_cli_option options[] = {
    {.name = "via",
     .value = "DOOR",
     .help = "ws (default), sse or long-poll to follow the stream; http to read what has happened\n"
             "and leave",
     .kind = DX_CLI_TEXT,
     .at = offsetof(dx_sub_options, via),
     .choices = vias},
    {.name = "offset",
     .value = "O",
     .help = "where to begin: now (default, but for http), -1 for the very first (default for\n"
             "http), or an offset that was printed or sent before",
     .kind = DX_CLI_TEXT,
     .at = offsetof(dx_sub_options, offset)},
    {.name = "last",
     .value = "N",
     .help = "begin with the last N messages, to 10000",
     .kind = DX_CLI_NUMBER,
     .at = offsetof(dx_sub_options, last),
     .min = 1,
     .max = 10000},
    {.name = "count",
     .value = "N",
     .help = "leave after so many messages (default: never)",
     .kind = DX_CLI_NUMBER,
     .at = offsetof(dx_sub_options, count),
     .min = 1,
     .max = UINT64_MAX},
    {.name = "cursor-file",
     .value = "FILE",
     .help = "go on where FILE says, if it is there, and keep it up to date",
     .kind = DX_CLI_TEXT,
     .at = offsetof(dx_sub_options, cursor_file)},
    {.name = "json",
     .help = "print {\"offset\":…,\"data\":…}, or \"base64\" for what is no text, one a line",
     .kind = DX_CLI_FLAG,
     .at = offsetof(dx_sub_options, json)},
    {.name = "raw",
     .help = "print messages as they are, without a newline behind each",
     .kind = DX_CLI_FLAG,
     .at = offsetof(dx_sub_options, raw)},
    {.name = "retries",
     .value = "N",
     .help = "give up after so many failures in a row, to 1000000 (default 12)",
     .kind = DX_CLI_NUMBER,
     .at = offsetof(dx_sub_options, retries),
     .min = 0,
     .max = 1000000},
    {.name = "no-retry",
     .help = "leave when the connection is lost",
     .kind = DX_CLI_FLAG,
     .at = offsetof(dx_sub_options, no_retry)},
    DX_CLI_HTTP_OPTION(dx_sub_options, reach),
    DX_CLI_TRUST_OPTIONS(dx_sub_options, reach),
};

const dx_cli_command dx_cli_sub = {
    .name = "sub",
    .summary = "prints the messages of a stream as they come",
    .about =
        "Prints each message of the stream at URL to stdout, a newline behind it. When a connection\n"
        "is lost that was once there it connects again and goes on behind the last message, after\n"
        "pauses that grow to 15 s. What is not kept any more is told on stderr.\n"
        "\n"
        "http and long-poll show the messages of a JSON stream; of any other stream its bytes in a\n"
        "row, one piece for each answer. With --last so does the beginning of each door.\n"
        "\n"
        "Ends with 0 after --count messages, when the stream was closed, on SIGINT, when whoever\n"
        "reads stdout has gone, and with --no-retry when the server goes away in order; with 1 when\n"
        "the server refuses, or it gave up.",
    .options = options,
    .options_count = DX_COUNT(options),
    .arguments = arguments,
    .arguments_count = DX_COUNT(arguments),
    .defaults = &defaults,
    .struct_bytes = sizeof defaults,
    .value_exit = DX_EXIT_USAGE,
    .run = run,
};
