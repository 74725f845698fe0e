/* duplex pub: publishes one message, or every line of stdin.
 * SPDX-License-Identifier: MIT */
#include "cli/commands.h"
#include "cli/remote.h"
#include "codec/json.h"
#include "http/client.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum { TIMEOUT_MS = 30000, ANSWER_BYTES_MAX = 65536, READ_BYTES = 65536 };

typedef struct pub_options {
    const char *url, *message, *type;
    bool lines;
} pub_options;

/* One publish after the other. */
typedef struct publisher {
    const pub_options *options;
    dx_cli_remote remote;
    dx_http_client *client;
    uint64_t line; /* of stdin; 0: not by lines */
    /* The answer to the one under way: */
    bool is_over, is_ok;
    unsigned status;
    dx_buffer next_offset, answer;
} publisher;

/* ---- the answer ------------------------------------------------------------------------------- */

static void on_head(void *context, const dx_http_response_head *head)
{
    publisher *p = context;
    dx_bytes next = dx_http_fields_value(&head->fields, DX_HTTP_STREAM_NEXT_OFFSET);

    p->status = head->code;
    p->is_ok = head->code >= 200 && head->code <= 299 && dx_buffer_append(&p->next_offset, next);
}

static void on_body(void *context, dx_bytes piece)
{
    publisher *p = context;

    piece.size = dx_min_size(piece.size, ANSWER_BYTES_MAX - p->answer.size);
    if (!dx_buffer_append(&p->answer, piece))
        dx_buffer_clear(&p->answer); /* it is for an error message only */
}

/* The sentence in a problem (RFC 9457 §3.1.4); empty if the answer is none. */
static dx_bytes problem_detail(dx_bytes answer, uint8_t *memory)
{
    size_t error_at;
    dx_bytes detail;

    if (dx_json_check(answer, DX_JSON_DEPTH_DEFAULT, &error_at) != DX_JSON_OK ||
        !dx_json_object_find(answer, DX_BYTES("detail"), &detail) ||
        dx_json_type_of(detail) != DX_JSON_TEXT)
        return (dx_bytes){NULL, 0};
    return dx_bytes_at(memory, dx_json_string_read(detail, memory));
}

static void say_failed(const publisher *p, const char *text)
{
    if (p->line > 0)
        dx_cli_say("pub", "line %" PRIu64 ": %s", p->line, text);
    else
        dx_cli_say("pub", "%s", text);
}

static void say_refused(const publisher *p)
{
    char text[900];
    const char *reason = dx_http_reason(p->status);
    uint8_t *memory = malloc(p->answer.size + 1);
    dx_bytes detail =
        memory ? problem_detail(dx_buffer_view(&p->answer), memory) : (dx_bytes){NULL, 0};

    snprintf(text, sizeof text, "the server answered %u%s%s%s%.*s", p->status, reason[0] ? " " : "",
             reason, detail.size > 0 ? ": " : "", (int)dx_min_size(detail.size, 700),
             detail.size > 0 ? (const char *)detail.at : "");
    say_failed(p, text);
    free(memory);
}

static void on_done(void *context)
{
    publisher *p = context;

    p->is_over = true;
    if (!p->is_ok)
        say_refused(p);
    else if (p->next_offset.size > 0)
        printf("%.*s\n", DX_FORMAT(p->next_offset));
}

static void on_failed(void *context, dx_err err, const char *text)
{
    publisher *p = context;

    (void)err;
    p->is_over = true;
    p->is_ok = false;
    say_failed(p, text);
}

/* ---- publishing ------------------------------------------------------------------------------- */

/* Publishes `message` and waits for the answer. False if it failed; that is said then. */
static bool publish(publisher *p, dx_bytes message)
{
    dx_header header = {DX_BYTES("Content-Type"), dx_bytes_of(p->options->type)};

    p->is_over = p->is_ok = false;
    dx_buffer_clear(&p->next_offset);
    dx_buffer_clear(&p->answer);
    dx_loop_step(p->remote.loop, 0); /* hears of a kept connection that has ended meanwhile */
    dx_err err = dx_http_client_send(p->client, &(dx_http_client_request){
                                                    .method = DX_BYTES("POST"),
                                                    .target = dx_buffer_view(&p->remote.target),
                                                    .authority = p->remote.url.authority,
                                                    .headers = &header,
                                                    .headers_count = 1,
                                                    .body = message,
                                                    .timeout_ms = TIMEOUT_MS,
                                                    .keep_alive = p->options->lines,
                                                });
    if (err != DX_OK) {
        say_failed(p, err == DX_ERR_NAME ? "the type may hold only visible characters and blanks"
                                         : dx_err_text(err));
        return false;
    }
    while (!p->is_over)
        dx_loop_step(p->remote.loop, -1);
    return p->is_ok;
}

static bool read_all(dx_buffer *to)
{
    for (;;) {
        if (to->size > DX_HTTP_CLIENT_BODY_MAX || !dx_buffer_reserve(to, READ_BYTES)) {
            dx_cli_say("pub", "the message on stdin is too large: at most %d bytes",
                       DX_HTTP_CLIENT_BODY_MAX);
            return false;
        }
        ssize_t got = read(STDIN_FILENO, to->at + to->size, READ_BYTES);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            dx_cli_say("pub", "cannot read stdin: %s", strerror(errno));
        if (got <= 0)
            return got == 0;
        to->size += (size_t)got;
    }
}

static bool publish_stdin(publisher *p)
{
    dx_buffer message = {0};
    bool ok = read_all(&message) && publish(p, dx_buffer_view(&message));

    dx_buffer_clear(&message);
    return ok;
}

static bool publish_lines(publisher *p)
{
    char *line = NULL;
    size_t room = 0;
    bool ok = true;

    while (ok) {
        ssize_t got = getline(&line, &room, stdin);
        if (got < 0)
            break;
        p->line++;
        ok = publish(p, dx_bytes_at(line, (size_t)got - (line[got - 1] == '\n')));
        fflush(stdout); /* each offset as it comes: the next line may be hours away */
    }
    free(line);
    if (ok && ferror(stdin)) {
        dx_cli_say("pub", "cannot read stdin: %s", strerror(errno));
        return false;
    }
    return ok;
}

static bool publish_as_asked(publisher *p)
{
    const pub_options *o = p->options;

    p->client = dx_http_client_new(
        &p->remote.net, &p->remote.address,
        &(dx_http_client_handler){
            .head = on_head, .body = on_body, .done = on_done, .failed = on_failed, .context = p});
    if (p->client == NULL) {
        dx_cli_say("pub", "%s", dx_err_text(DX_ERR_MEMORY));
        return false;
    }
    if (o->lines)
        return publish_lines(p);
    bool is_stdin = o->message == NULL || strcmp(o->message, "-") == 0;
    return is_stdin ? publish_stdin(p) : publish(p, dx_bytes_of(o->message));
}

static int run(const void *options)
{
    const pub_options *o = options;
    publisher p = {.options = o};

    if (o->lines && o->message && strcmp(o->message, "-") != 0) {
        dx_cli_say("pub", "--lines takes its messages from stdin: give no MESSAGE beside it");
        return DX_EXIT_USAGE;
    }
    signal(SIGPIPE, SIG_IGN);
    int code = dx_cli_remote_open(&p.remote, "pub", o->url);
    if (code == DX_EXIT_OK)
        code = publish_as_asked(&p) ? DX_EXIT_OK : DX_EXIT_FAILURE;
    dx_http_client_free(p.client);
    dx_cli_remote_close(&p.remote);
    dx_buffer_clear(&p.next_offset);
    dx_buffer_clear(&p.answer);
    return code;
}

static const pub_options defaults = {.type = "text/plain; charset=utf-8"};

static const dx_cli_argument arguments[] = {
    {"URL", "of the stream: http://HOST[:PORT]/PATH or ws://…", offsetof(pub_options, url), false},
    {"MESSAGE", "what to publish; - or nothing: what comes on stdin, as one message",
     offsetof(pub_options, message), true},
};

static const dx_cli_option options[] = {
    {.name = "type",
     .value = "TYPE",
     .help = "its Content-Type (default text/plain; charset=utf-8)",
     .kind = DX_CLI_TEXT,
     .at = offsetof(pub_options, type)},
    {.name = "lines",
     .help = "publish every line of stdin as a message, in order, over one connection",
     .kind = DX_CLI_FLAG,
     .at = offsetof(pub_options, lines)},
};

const dx_cli_command dx_cli_pub = {
    .name = "pub",
    .summary = "publishes messages to a stream",
    .about =
        "Publishes to the stream at URL, and prints for each message the offset behind it, from\n"
        "which a reader would go on. Ends with 1 at the first message that is refused.",
    .options = options,
    .options_count = DX_COUNT(options),
    .arguments = arguments,
    .arguments_count = DX_COUNT(arguments),
    .defaults = &defaults,
    .struct_bytes = sizeof defaults,
    .value_exit = DX_EXIT_USAGE,
    .run = run,
};
