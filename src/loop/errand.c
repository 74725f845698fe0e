/* What the program wants to have run on a loop.
 * SPDX-License-Identifier: MIT */
#include "loop/errand.h"

#include <stdlib.h>

typedef struct errand {
    dx_post post;
    dx_errands *errands;
    dx_run *run;
    void *context;
} errand;

struct dx_alarm {
    dx_list link;
    dx_timer timer;
    dx_run *run;
    void *context;
};

void dx_errands_init(dx_errands *errands, dx_loop *loop)
{
    *errands = (dx_errands){.loop = loop};
    dx_list_init(&errands->alarms);
}

/* ---- soon ------------------------------------------------------------------------------------- */

static void on_post(dx_post *post)
{
    errand *e = DX_CONTAINER(post, errand, post);
    errand gone = *e;

    free(e);
    gone.run(gone.context, gone.errands->is_over ? DX_ERR_CLOSED : DX_OK);
}

dx_err dx_errands_post(dx_errands *errands, dx_run *run, void *context)
{
    errand *e = malloc(sizeof *e);

    if (e == NULL)
        return DX_ERR_MEMORY;
    *e = (errand){.post.run = on_post, .errands = errands, .run = run, .context = context};
    dx_err err = dx_loop_post(errands->loop, &e->post);
    if (err != DX_OK)
        free(e);
    return err;
}

/* ---- later ------------------------------------------------------------------------------------ */

/* Before it is called it is gone: it may set another one, or end everything. */
static void alarm_run(dx_alarm *alarm, dx_err err)
{
    dx_run *run = alarm->run;
    void *context = alarm->context;

    dx_alarm_cancel(alarm);
    run(context, err);
}

static void on_timer(dx_timer *timer)
{
    alarm_run(DX_CONTAINER(timer, dx_alarm, timer), DX_OK);
}

dx_err dx_errands_after(dx_errands *errands, uint64_t delay_ms, dx_run *run, void *context,
                        dx_alarm **ret)
{
    dx_alarm *alarm = errands->is_over ? NULL : malloc(sizeof *alarm);

    if (alarm == NULL)
        return errands->is_over ? DX_ERR_CLOSED : DX_ERR_MEMORY;
    *alarm = (dx_alarm){.run = run, .context = context};
    dx_list_init(&alarm->link);
    dx_list_append(&errands->alarms, &alarm->link);
    dx_timer_init(&alarm->timer, on_timer);
    dx_timer_set(errands->loop, &alarm->timer, delay_ms);
    if (ret)
        *ret = alarm;
    return DX_OK;
}

void dx_alarm_cancel(dx_alarm *alarm)
{
    if (alarm == NULL)
        return;
    dx_timer_clear(&alarm->timer);
    dx_list_remove(&alarm->link);
    free(alarm);
}

void dx_errands_end(dx_errands *errands)
{
    errands->is_over = true;
    while (!dx_list_is_empty(&errands->alarms))
        alarm_run(DX_CONTAINER(errands->alarms.next, dx_alarm, link), DX_ERR_CLOSED);
}
