/* The plot of duplex compare: bars below each other, one panel for each question.
 * Its colours follow the page's or the viewer's: prefers-color-scheme.
 * Source: SVG 1.1 §9.2, §10; Media Queries 5 §12.5.
 * SPDX-License-Identifier: MIT */
#include "cli/compare_report.h"

#include "base/assert.h"
#include "base/bytes.h"

#include <inttypes.h>

enum { WIDTH = 720, LEFT = 150, RIGHT = 110, BAR = 12, LINE = 20, TITLE = 40, FOOT = 24 };

typedef enum panel_kind { PANEL_BYTES, PANEL_TALK, PANEL_PUSH, PANEL_CPU, PANEL_COUNT } panel_kind;

/* A row's bar in a panel: up to a value, and on to a second one. */
typedef struct bar_ends {
    double first, second;
} bar_ends;

static double each(uint64_t sum, const dx_compare_figures *f)
{
    return f->messages > 0 ? (double)sum / (double)f->messages : 0;
}

static bar_ends bar_of(const dx_compare_row *row, panel_kind panel)
{
    const dx_compare_figures *talk = &row->figures[DX_COMPARE_TALK],
                             *push = &row->figures[DX_COMPARE_PUSH];

    switch (panel) {
    case PANEL_BYTES: return (bar_ends){each(talk->up, talk), each(talk->up + talk->down, talk)};
    case PANEL_TALK: return (bar_ends){(double)talk->p50_ns / 1e6, (double)talk->p99_ns / 1e6};
    case PANEL_PUSH: return (bar_ends){(double)push->p50_ns / 1e6, (double)push->p99_ns / 1e6};
    case PANEL_CPU:
        return (bar_ends){each(talk->cpu_ns, talk) / 1e3, each(talk->cpu_ns, talk) / 1e3};
    case PANEL_COUNT: break;
    }
    dx_unreachable("panel outside its enum");
}

static const char *title_of(panel_kind panel)
{
    switch (panel) {
    case PANEL_BYTES: return "Bytes of a message there and back: up, then down";
    case PANEL_TALK:
        return "Milliseconds there and back: half of all, then 99 of 100 (logarithmic)";
    case PANEL_PUSH:
        return "Milliseconds until a pushed message is there: half, then 99 of 100 (logarithmic)";
    case PANEL_CPU: return "Microseconds of the server's processor for a message there and back";
    case PANEL_COUNT: break;
    }
    dx_unreachable("panel outside its enum");
}

static bool is_logarithmic(panel_kind panel)
{
    return panel == PANEL_TALK || panel == PANEL_PUSH;
}

/* log2(x) for x >= 1, near enough for a plot: straight between powers of two. */
static double log2_of(double x)
{
    double whole = 0;

    for (; x >= 2; whole++)
        x /= 2;
    return whole + (x - 1);
}

/* A value's share of the width, 0 to 1. Latency begins at a hundredth of a millisecond. */
static double share(double value, double most, panel_kind panel)
{
    static const double least = 0.01;

    if (most <= 0)
        return 0;
    if (!is_logarithmic(panel))
        return value / most;
    if (value <= least || most <= 2 * least)
        return value >= most ? 1 : 0.005;
    return log2_of(value / least) / log2_of(most / least);
}

static void value_write(const bar_ends *b, panel_kind panel, FILE *to)
{
    switch (panel) {
    case PANEL_BYTES: fprintf(to, "%.0f + %.0f", b->first, b->second - b->first); return;
    case PANEL_TALK:
    case PANEL_PUSH: fprintf(to, "%.2f, %.2f", b->first, b->second); return;
    case PANEL_CPU: fprintf(to, "%.1f", b->first); return;
    case PANEL_COUNT: break;
    }
    dx_unreachable("panel outside its enum");
}

static void bar_write(const dx_compare_row *row, panel_kind panel, double most, int y, FILE *to)
{
    const double room = WIDTH - LEFT - RIGHT;
    bar_ends b = bar_of(row, panel);
    double first = room * share(b.first, most, panel), second = room * share(b.second, most, panel);

    fprintf(to, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>", LEFT - 8, y + BAR - 1,
            row->name);
    fprintf(to, "<rect class=\"b\" x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\"/>", LEFT, y,
            second, BAR);
    fprintf(to, "<rect class=\"a\" x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\"/>", LEFT, y,
            first, BAR);
    fprintf(to, "<text x=\"%.1f\" y=\"%d\">", LEFT + second + 6, y + BAR - 1);
    value_write(&b, panel, to);
    fprintf(to, "</text>\n");
}

static size_t rows_measured(const dx_compare_report *r)
{
    size_t count = 0;

    for (size_t i = 0; i < r->rows_count; i++)
        count += r->rows[i].missing == NULL;
    return count;
}

/* Gives where the next one begins. */
static int panel_write(const dx_compare_report *r, panel_kind panel, int y, FILE *to)
{
    double most = 0;

    for (size_t i = 0; i < r->rows_count; i++) {
        double second = r->rows[i].missing ? 0 : bar_of(&r->rows[i], panel).second;
        most = second > most ? second : most;
    }
    fprintf(to, "<text class=\"t\" x=\"12\" y=\"%d\">%s</text>\n", y + TITLE - 14, title_of(panel));
    y += TITLE;
    for (size_t i = 0; i < r->rows_count; i++)
        if (!r->rows[i].missing) {
            bar_write(&r->rows[i], panel, most, y, to);
            y += LINE;
        }
    return y;
}

static const char style[] =
    "<style>text{font:12px system-ui,sans-serif;fill:#1b1f24}.t{font-weight:600}.p{fill:#fff}"
    ".a{fill:#0b62c4}.b{fill:#9cc4f2}"
    "@media(prefers-color-scheme:dark){text{fill:#e6e8eb}.p{fill:#14171b}.a{fill:#6cb2ff}.b{fill:#2c537f}}"
    "</style>\n";

void dx_compare_svg_write(const dx_compare_report *r, FILE *to)
{
    int panels = r->has_cpu ? PANEL_COUNT : PANEL_CPU;
    int height = panels * (TITLE + LINE * (int)rows_measured(r)) + FOOT, y = 0;

    fprintf(
        to,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" "
        "role=\"img\" aria-labelledby=\"title\">\n"
        "<title id=\"title\">One exchange, by each way: bytes and latency, messages of %" PRIu64
        " bytes</title>\n",
        WIDTH, height, WIDTH, height, r->message_bytes);
    fprintf(to, "%s<rect class=\"p\" width=\"%d\" height=\"%d\"/>\n", style, WIDTH, height);
    for (int i = 0; i < panels; i++)
        y = panel_write(r, (panel_kind)i, y, to);
    fprintf(to, "</svg>\n");
}
