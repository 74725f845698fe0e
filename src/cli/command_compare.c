/* duplex compare: one exchange by each way, measured.
 * SPDX-License-Identifier: MIT */
#include "cli/commands.h"
#include "cli/compare.h"

#include "base/clock.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

enum { PROGRESS_MS = 100, MESSAGE_DEFAULT = 200, PREFIX_BYTES = 800 };

typedef struct compare_options {
    const char *url, *svg;
    uint64_t size;
    bool json, json_lines;
    dx_cli_reach reach;
} compare_options;

typedef struct comparing {
    const compare_options *options;
    const dx_compare_row *row; /* of what was told last, and of it: */
    dx_compare_phase phase;
    size_t told_count; /* samples */
    uint64_t told_ms;
    bool is_line_open; /* of progress, on stderr */
} comparing;

/* ---- while it runs ---------------------------------------------------------------------------- */

static void show_progress(comparing *c, const dx_compare_row *row, dx_compare_phase phase)
{
    if (!isatty(STDERR_FILENO))
        return;
    fprintf(stderr, "\r%s: %s\033[K", row->name,
            phase == DX_COMPARE_TALK ? "there and back" : "pushed");
    c->is_line_open = true;
}

static void end_progress(comparing *c)
{
    if (c->is_line_open)
        fputs("\r\033[K", stderr);
    c->is_line_open = false;
}

/* The samples since the last time, in milliseconds. */
static void print_samples(comparing *c, const dx_compare_row *row, dx_compare_phase phase,
                          const dx_samples *samples)
{
    if (c->told_count == samples->count)
        return;
    printf("{\"event\":\"samples\",\"way\":\"%s\",\"phase\":\"%s\",\"from\":%zu,\"latency_ms\":[",
           row->id, dx_compare_phase_name(phase), c->told_count);
    for (size_t i = c->told_count; i < samples->count; i++)
        printf("%s%.3f", i > c->told_count ? "," : "", (double)samples->at[i] / 1e6);
    printf("]}\n");
    fflush(stdout);
    c->told_count = samples->count;
}

static bool on_progress(void *context, const dx_compare_row *row, dx_compare_phase phase,
                        const dx_samples *samples, bool is_over)
{
    comparing *c = context;
    uint64_t now_ms = dx_clock_ms();
    bool is_new = c->row != row || c->phase != phase;

    if (is_new) {
        c->row = row;
        c->phase = phase;
        c->told_count = 0;
        show_progress(c, row, phase);
    }
    if (!c->options->json_lines || (now_ms - c->told_ms < PROGRESS_MS && !is_over))
        return true;
    c->told_ms = now_ms;
    print_samples(c, row, phase, samples);
    return !ferror(stdout);
}

static void on_row(void *context, const dx_compare_report *report, const dx_compare_row *row)
{
    const comparing *c = context;

    if (!c->options->json_lines)
        return;
    printf("{\"event\":\"row\",\"row\":");
    dx_compare_row_json_write(report, row, stdout);
    printf("}\n");
    fflush(stdout);
}

/* ---- the report ------------------------------------------------------------------------------- */

/* Before anything is measured: what cannot be written is known at once. */
static bool open_svg(const char *name, FILE **ret)
{
    *ret = name ? fopen(name, "we") : NULL;
    if (*ret || name == NULL)
        return true;
    dx_cli_say("compare", "cannot write %.200s: %s", name, strerror(errno));
    return false;
}

/* svg: taken; NULL: none. */
static bool close_svg(const char *name, FILE *svg)
{
    bool ok = svg == NULL || !ferror(svg);

    if ((svg == NULL || fclose(svg) == 0) && ok)
        return true;
    dx_cli_say("compare", "cannot write %.200s: %s", name, strerror(errno));
    return false;
}

static void write_report(const compare_options *o, const dx_compare_report *report)
{
    if (o->json_lines)
        printf("{\"event\":\"done\",\"report\":");
    if (o->json || o->json_lines)
        dx_compare_json_write(report, stdout);
    else
        dx_compare_table_write(report, stdout);
    if (o->json_lines)
        printf("}");
    if (o->json || o->json_lines)
        printf("\n");
}

/* ---- the command ------------------------------------------------------------------------------ */

/* The prefix below which streams begin when they are used: /live/, if the URL names no path. */
static int prefix_of(const char *text, char prefix[PREFIX_BYTES])
{
    dx_url url;
    dx_url_fault fault = dx_url_read(dx_bytes_of(text), &url);
    size_t size = strlen(text);

    if (fault != DX_URL_OK) {
        dx_cli_say("compare", "%.200s: %s", text, dx_url_fault_text(fault));
        return DX_EXIT_USAGE;
    }
    bool has_more = strpbrk(text, "?#") != NULL;
    if (has_more || size + sizeof "/live/" > PREFIX_BYTES) {
        dx_cli_say("compare", has_more
                                  ? "the URL is to be a server's or a prefix's, without a query"
                                  : "the URL is too long");
        return DX_EXIT_USAGE;
    }
    bool ends_with_slash = text[size - 1] == '/';
    const char *rest = url.path.size <= 1 ? "/live/" : "/";
    snprintf(prefix, PREFIX_BYTES, "%.*s%s", (int)(size - ends_with_slash), text, rest);
    return DX_EXIT_OK;
}

static int compare(const compare_options *o, const dx_compare_server *server, const char *prefix,
                   FILE *svg)
{
    comparing c = {.options = o};
    dx_compare_report report;

    bool ok = dx_compare_run(&(dx_compare_plan){.url = prefix,
                                                .reach = &o->reach,
                                                .server = server,
                                                .message_bytes = (size_t)o->size,
                                                .on_row = on_row,
                                                .on_progress = on_progress,
                                                .context = &c},
                             &report);
    end_progress(&c);
    if (!ok)
        return DX_EXIT_FAILURE;
    write_report(o, &report);
    if (svg)
        dx_compare_svg_write(&report, svg);
    return DX_EXIT_OK;
}

static int measure(const compare_options *o, FILE *svg)
{
    dx_compare_server server = {0};
    char prefix[PREFIX_BYTES];
    int code = DX_EXIT_OK;

    if (o->url)
        code = prefix_of(o->url, prefix);
    else if (!dx_compare_server_start(&server))
        code = DX_EXIT_FAILURE;
    if (code == DX_EXIT_OK)
        code = compare(o, o->url ? NULL : &server, o->url ? prefix : server.url, svg);
    dx_compare_server_stop(&server);
    return code;
}

static int run(const void *options)
{
    const compare_options *o = options;
    FILE *svg;

    if (o->json && o->json_lines) {
        dx_cli_say("compare", "--json and --json-lines both say how to report: leave out one");
        return DX_EXIT_USAGE;
    }
    signal(SIGPIPE, SIG_IGN);
    if (!open_svg(o->svg, &svg))
        return DX_EXIT_FAILURE;
    int code = measure(o, svg);
    return close_svg(o->svg, svg) ? code : DX_EXIT_FAILURE;
}

static const compare_options defaults = {.size = MESSAGE_DEFAULT};

static const dx_cli_argument arguments[] = {
    {"URL",
     "a server, http://HOST[:PORT] or https://…, perhaps with a prefix below which streams\n"
     "begin with their first use (default /live/); none: a server is started for it",
     offsetof(compare_options, url), true},
};

static const dx_cli_option options[] = {
    {.name = "size",
     .value = "N",
     .help = "bytes of a message, 64 to 60000 (default 200)",
     .kind = DX_CLI_SIZE,
     .at = offsetof(compare_options, size),
     .min = DX_COMPARE_MESSAGE_MIN,
     .max = DX_COMPARE_MESSAGE_MAX},
    {.name = "json",
     .help = "print what was measured as JSON",
     .kind = DX_CLI_FLAG,
     .at = offsetof(compare_options, json)},
    {.name = "json-lines",
     .help = "print samples and rows as they come, and at last all, as JSON, one object a line",
     .kind = DX_CLI_FLAG,
     .at = offsetof(compare_options, json_lines)},
    {.name = "svg",
     .value = "FILE",
     .help = "write a plot to this file, too",
     .kind = DX_CLI_TEXT,
     .at = offsetof(compare_options, svg)},
    DX_CLI_TRUST_OPTIONS(compare_options, reach),
};

const dx_cli_command dx_cli_compare = {
    .name = "compare",
    .summary = "measures one exchange by HTTP and by WebSocket",
    .about =
        "Measures the same exchange by HTTP/1.0 with a connection for each request, HTTP/1.1 and HTTP/2\n"
        "with one for all, long-poll, server-sent events, WebSocket, and WebSocket deflated: connections,\n"
        "bytes on the wire, latency, the server's processor time; and says when to take which. It takes\n"
        "less than 20 seconds.\n"
        "\n"
        "Ends with 0, or with 1 when the server refuses or cannot be reached.",
    .options = options,
    .options_count = DX_COUNT(options),
    .arguments = arguments,
    .arguments_count = DX_COUNT(arguments),
    .defaults = &defaults,
    .struct_bytes = sizeof defaults,
    .value_exit = DX_EXIT_USAGE,
    .run = run,
};
