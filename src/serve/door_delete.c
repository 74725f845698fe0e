/* DELETE of a stream.
 * Source: Durable Streams 1.0 §5.4.
 * SPDX-License-Identifier: MIT */
#include "serve/door.h"

#include <stdlib.h>

typedef struct delete_op {
    dx_delete op;
    dx_exchange *x; /* NULL once the client has gone */
    uint8_t path[];
} delete_op;

static void on_deleted(dx_delete *done)
{
    delete_op *op = DX_CONTAINER(done, delete_op, op);

    if (op->x && done->status == DX_STREAM_OK)
        dx_exchange_respond(op->x, &(dx_response){.status = 204});
    else if (op->x)
        dx_door_problem(op->x, done->status, NULL);
    free(op);
}

void dx_door_delete(dx_exchange *x, void *context)
{
    const dx_stream_route *route = context;
    dx_grant grant;

    x->sort = DX_SORT_DELETE;
    if (!dx_door_enter(x, route) || !dx_door_may(x, route, DX_ACTION_DELETE, &grant))
        return;
    delete_op *op = malloc(sizeof *op + x->path.size);
    if (op == NULL) {
        dx_door_no_memory(x);
        return;
    }
    dx_copy(op->path, x->path.at, x->path.size);
    op->x = x;
    op->op = (dx_delete){
        .ns = &route->ns, .path = dx_bytes_at(op->path, x->path.size), .done = on_deleted};
    dx_exchange_on_gone(x, dx_door_forget, &op->x);
    dx_hub_delete(dx_door_hub(x), &op->op);
}
