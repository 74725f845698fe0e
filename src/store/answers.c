/* Answers on their way.
 * SPDX-License-Identifier: MIT */
#include "store/answers.h"

enum { RETRY_MS = 1, FULL_LOOPS_MAX = 64 };

static void on_retry(dx_timer *timer);

void dx_answers_init(dx_answers *answers, dx_loop *(*loop_of)(const dx_post *post))
{
    *answers = (dx_answers){.loop_of = loop_of};
    answers->end = &answers->first;
    dx_timer_init(&answers->retry, on_retry);
}

void dx_answers_begin(dx_answers *answers, dx_loop *loop)
{
    answers->loop = loop;
}

static void keep(dx_answers *answers, dx_post *post)
{
    post->next = NULL;
    *answers->end = post;
    answers->end = &post->next;
    if (!dx_timer_is_set(&answers->retry))
        dx_timer_set(answers->loop, &answers->retry, RETRY_MS);
}

/* Its loop does not run any more: what was sent there before and was not taken comes first. */
static void run_here(dx_answers *answers, dx_post *post)
{
    dx_loop_run_posts(answers->loop_of(post));
    post->run(post);
}

void dx_answers_send(dx_answers *answers, dx_post *post)
{
    if (answers->is_closed)
        run_here(answers, post);
    else if (answers->first || dx_loop_post(answers->loop_of(post), post) != DX_OK)
        keep(answers, post); /* also behind those of other loops: simple, and in order */
}

/* Tries each kept one once; none of a loop after one that its mailbox had no room for. */
static void on_retry(dx_timer *timer)
{
    dx_answers *answers = DX_CONTAINER(timer, dx_answers, retry);
    dx_loop *full[FULL_LOOPS_MAX];
    size_t full_count = 0;
    dx_post *post = answers->first;

    answers->first = NULL, answers->end = &answers->first;
    while (post) {
        dx_post *next = post->next;
        dx_loop *loop = answers->loop_of(post);
        bool is_full = full_count == FULL_LOOPS_MAX;
        for (size_t i = 0; i < full_count && !is_full; i++)
            is_full = full[i] == loop;
        if (is_full || dx_loop_post(loop, post) != DX_OK) {
            keep(answers, post);
            if (!is_full)
                full[full_count++] = loop;
        }
        post = next;
    }
}

void dx_answers_close(dx_answers *answers)
{
    answers->is_closed = true;
    while (answers->first) {
        dx_post *post = answers->first;
        answers->first = post->next;
        if (answers->first == NULL)
            answers->end = &answers->first;
        run_here(answers, post);
    }
}
