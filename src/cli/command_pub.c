/* duplex pub: publishes messages to a stream.
 * SPDX-License-Identifier: MIT */
#include "cli/commands.h"
#include "cli/pub.h"

#include "base/random.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum { PROGRESS_MS = 1000 };

void dx_pub_say(const dx_pub *p, uint64_t number, const char *text)
{
    if (p->is_series && number > 0)
        dx_cli_say("pub", "message %" PRIu64 ": %s", number, text);
    else
        dx_cli_say("pub", "%s", text);
}

/* Where stdout is a file or a pipe and stderr a terminal. */
static void show_progress(dx_pub *p)
{
    uint64_t now_ms = dx_loop_now_ms(p->remote.loop);

    if (!p->is_series || now_ms - p->progress_ms < PROGRESS_MS || !isatty(STDERR_FILENO) ||
        isatty(STDOUT_FILENO))
        return;
    fprintf(stderr, "\r%" PRIu64 " messages, %" PRIu64 " bytes\033[K", p->done_count, p->bytes);
    p->progress_ms = now_ms;
    p->is_progress_shown = true;
}

void dx_pub_done(dx_pub *p, dx_bytes next_offset, size_t size)
{
    p->done_count++;
    p->bytes += size;
    p->failures = 0;
    if (next_offset.size > 0)
        printf("%.*s\n", DX_FORMAT(next_offset));
    fflush(stdout); /* each as it comes: the next message may be hours away */
    show_progress(p);
}

static void on_wake(dx_timer *timer)
{
    DX_CONTAINER(timer, dx_pub, wake)->is_awake = true;
}

bool dx_pub_may_retry(dx_pub *p, const char *why, uint32_t after_ms)
{
    uint64_t retries = p->options->no_retry ? 0 : p->options->retries;
    char text[1200];

    if (!p->was_open || p->failures >= retries) {
        dx_pub_say(p, p->sent_count, why);
        return false;
    }
    uint32_t delay_ms = dx_cli_backoff_ms(++p->failures) + after_ms;
    snprintf(text, sizeof text, "%s; trying again in %.1f s", why, delay_ms / 1000.0);
    dx_pub_say(p, p->sent_count, text);
    p->is_awake = false;
    dx_timer_set(p->remote.loop, &p->wake, delay_ms);
    while (!p->is_awake)
        dx_loop_step(p->remote.loop, -1);
    return true;
}

/* ---- the command ------------------------------------------------------------------------------ */

static void key_init(char key[DX_PUB_KEY_BYTES])
{
    uint8_t random[16];

    dx_random_fill(random, sizeof random);
    for (size_t i = 0; i < sizeof random; i++)
        snprintf(key + 2 * i, 3, "%02x", random[i]);
}

static bool publish_all(dx_pub *p)
{
    const dx_pub_door *door = strcmp(p->options->via, "ws") == 0 ? &dx_pub_ws : &dx_pub_http;
    dx_pub_source source = {.options = p->options};
    dx_pub_next found = DX_PUB_MESSAGE;
    bool ok = !p->options->create || dx_pub_create(p);

    while (ok) {
        dx_buffer message = {0};
        found = dx_pub_source_next(&source, &message);
        if (found == DX_PUB_MESSAGE)
            ok = door->publish(p, dx_buffer_view(&message));
        dx_buffer_clear(&message);
        if (found != DX_PUB_MESSAGE)
            break;
    }
    dx_pub_source_deinit(&source);
    return door->finish(p) && ok && found != DX_PUB_FAILED;
}

static bool is_series(const dx_pub_options *o)
{
    bool has_message = o->message && strcmp(o->message, "-") != 0;
    return o->lines || has_message + o->data.count + o->files.count > 1;
}

static void pub_deinit(dx_pub *p)
{
    if (p->is_progress_shown)
        fputc('\n', stderr);
    dx_timer_clear(&p->wake);
    dx_http_client_free(p->client);
    dx_cli_remote_close(&p->remote);
    if (p->worker.net)
        dx_ws_worker_deinit(&p->worker);
    dx_buffer_clear(&p->next_offset);
    dx_buffer_clear(&p->answer);
}

static int run(const void *options)
{
    const dx_pub_options *o = options;
    dx_pub p = {.options = o, .is_series = is_series(o)};

    if (o->lines && ((o->message && strcmp(o->message, "-") != 0) || o->data.count > 0)) {
        dx_cli_say("pub",
                   "--lines takes its messages from stdin or --file: give no MESSAGE beside it");
        return DX_EXIT_USAGE;
    }
    signal(SIGPIPE, SIG_IGN);
    key_init(p.key);
    dx_timer_init(&p.wake, on_wake);
    int code = dx_cli_remote_open(&p.remote, "pub", o->url, &o->reach);
    if (code == DX_EXIT_OK)
        code = publish_all(&p) ? DX_EXIT_OK : DX_EXIT_FAILURE;
    pub_deinit(&p);
    return code;
}

static const char *const vias[] = {"http", "ws", NULL};
static const dx_pub_options defaults = {
    .type = "text/plain; charset=utf-8", .via = "http", .retries = 12};

static const dx_cli_argument arguments[] = {
    {"URL", "of the stream: http://HOST[:PORT]/PATH, https://…, ws://… or wss://…",
     offsetof(dx_pub_options, url), false},
    {"MESSAGE", "what to publish; - or nothing: what comes on stdin, as one message",
     offsetof(dx_pub_options, message), true},
};

static const dx_cli_option options[] = {
    {.name = "type",
     .value = "TYPE",
     .help = "its Content-Type (default text/plain; charset=utf-8)",
     .kind = DX_CLI_TEXT,
     .at = offsetof(dx_pub_options, type)},
    {.name = "data",
     .value = "TEXT",
     .help = "a message; again for more",
     .kind = DX_CLI_TEXTS,
     .at = offsetof(dx_pub_options, data)},
    {.name = "file",
     .value = "FILE",
     .help = "publish what is in this file, as one message; again for more",
     .kind = DX_CLI_TEXTS,
     .at = offsetof(dx_pub_options, files)},
    {.name = "lines",
     .help = "publish every line of stdin, or of the files, as a message, in order",
     .kind = DX_CLI_FLAG,
     .at = offsetof(dx_pub_options, lines)},
    {.name = "via",
     .value = "DOOR",
     .help = "http (default): one at a time; a lost one is sent again and stands there once.\n"
             "ws: many under way at once; what became of a lost one is not known",
     .kind = DX_CLI_TEXT,
     .at = offsetof(dx_pub_options, via),
     .choices = vias},
    {.name = "create",
     .help = "make the stream with PUT if it is not there",
     .kind = DX_CLI_FLAG,
     .at = offsetof(dx_pub_options, create)},
    {.name = "retries",
     .value = "N",
     .help = "give up after so many failures in a row, to 1000000 (default 12)",
     .kind = DX_CLI_NUMBER,
     .at = offsetof(dx_pub_options, retries),
     .min = 0,
     .max = 1000000},
    {.name = "no-retry",
     .help = "give up at the first failure",
     .kind = DX_CLI_FLAG,
     .at = offsetof(dx_pub_options, no_retry)},
    DX_CLI_HTTP_OPTION(dx_pub_options, reach),
    DX_CLI_TRUST_OPTIONS(dx_pub_options, reach),
};

const dx_cli_command dx_cli_pub = {
    .name = "pub",
    .summary = "publishes messages to a stream",
    .about =
        "Publishes to the stream at URL, and prints for each message the offset behind it, from\n"
        "which a reader would go on, as soon as the server has acknowledged it. Once there was an\n"
        "answer a failure that may pass is tried again, after pauses that grow to 15 s.\n"
        "\n"
        "Ends with 0 when all messages were acknowledged, with 1 at the first that was refused.",
    .options = options,
    .options_count = DX_COUNT(options),
    .arguments = arguments,
    .arguments_count = DX_COUNT(arguments),
    .defaults = &defaults,
    .struct_bytes = sizeof defaults,
    .value_exit = DX_EXIT_USAGE,
    .run = run,
};
