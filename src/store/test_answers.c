/* Tests of answers on their way: their order, also when the loops they go to have ended.
 * SPDX-License-Identifier: MIT */
#include "store/answers.h"

#include "tests/tap.h"

typedef struct answer {
    dx_post post;
    int number;
} answer;

static dx_loop *asker, *store;
static int came[8];
static size_t came_count;

static dx_loop *loop_of(const dx_post *post)
{
    (void)post;
    return asker;
}

static void on_answer(dx_post *post)
{
    came[came_count++] = DX_CONTAINER(post, answer, post)->number;
}

/* All go to one loop that does not turn; its mailbox has room for `room` of them. `closed_after` of the four are
 * sent before the store is closed. */
static void check_order(uint32_t room, int closed_after)
{
    answer answers[4];
    dx_answers way;

    came_count = 0;
    CHECK_INT(dx_loop_new(&(dx_loop_options){.kind = DX_LOOP_EPOLL, .posts_count_max = room}, &asker), DX_OK);
    CHECK_INT(dx_loop_new(&(dx_loop_options){.kind = DX_LOOP_EPOLL}, &store), DX_OK);
    dx_answers_init(&way, loop_of);
    dx_answers_begin(&way, store);
    for (int i = 0; i < 4; i++) {
        if (i == closed_after)
            dx_answers_close(&way);
        answers[i] = (answer){.post.run = on_answer, .number = i};
        dx_answers_send(&way, &answers[i].post);
    }
    if (closed_after == 4)
        dx_answers_close(&way);
    dx_loop_free(asker); /* runs what still waits there */
    dx_timer_clear(&way.retry);
    dx_loop_free(store);
    CHECK_INT(came_count, 4);
    for (int i = 0; i < 4; i++)
        CHECK_INT(came[i], i);
}

TEST("answers to a loop that has ended come in the order they were given, whenever the store is closed")
{
    for (uint32_t room = 1; room <= 4; room++)
        for (int closed_after = 0; closed_after <= 4; closed_after++)
            check_order(room, closed_after);
}
