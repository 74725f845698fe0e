/* duplex compare by long-poll: one request always waits for what comes next; what is published goes
 * beside it.
 * SPDX-License-Identifier: MIT */
#include "cli/compare.h"

static void on_answer(dx_compare_line *line)
{
    if (line->reads.status == 200)
        dx_compare_got_array(line, dx_buffer_view(&line->reads.body));
    if (!line->is_failed)
        dx_compare_get(line, &line->reads, "long-poll");
}

static void open_it(dx_compare_line *line)
{
    line->is_open = true; /* what comes before it waits is behind its cursor */
    line->reads.done = on_answer;
    dx_compare_get(line, &line->reads, "long-poll");
}

static void say(dx_compare_line *line, dx_bytes message)
{
    dx_compare_post(line, &line->writes, message);
}

static void close_it(dx_compare_line *line)
{
    (void)line;
}

const dx_compare_way dx_compare_long_poll = {
    .id = "long-poll",
    .name = "long-poll",
    .open = open_it,
    .say = say,
    .close = close_it,
};
