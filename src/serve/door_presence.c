/* GET of a stream's presence: how many are there, and a page of them.
 * Is:     {"count":…,"subscribers":…,"members":[{"id":…,"data":…},…],"next":"…"}; `next` where there is a
 *         next page, to be asked for with after=.
 * Is not: keeping presence (stream), joining (the WebSocket door).
 * Memory: one operation while a request waits for the stream's home worker.
 * SPDX-License-Identifier: MIT */
#include "serve/door.h"

#include "codec/stream_rules.h"
#include "stream/presence.h"

#include <stdio.h>
#include <stdlib.h>

enum { LIMIT_DEFAULT = 100 };

typedef struct presence_op {
    dx_read read; /* is it there? */
    dx_presence_read list;
    dx_exchange *x; /* NULL once the client has gone */
    uint8_t path[];
} presence_op;

static void answer_list(const presence_op *op)
{
    static const dx_header header = {DX_BYTES("Cache-Control"), DX_BYTES("no-store")};
    const dx_presence_read *list = &op->list;
    char head[96], tail[64];
    dx_exchange *x = op->x;

    int head_size =
        snprintf(head, sizeof head, "{\"count\":%u,\"subscribers\":%u,\"members\":", list->count,
                 op->read.info.subscribers_count);
    int tail_size = list->next ? snprintf(tail, sizeof tail, ",\"next\":\"%llu\"}\n",
                                          (unsigned long long)list->next)
                               : snprintf(tail, sizeof tail, "}\n");
    dx_exchange_start(x,
                      &(dx_response){.type = DX_BYTES("application/json"),
                                     .headers = &header,
                                     .headers_count = 1},
                      (size_t)head_size + list->text_size + (size_t)tail_size);
    dx_exchange_put(x, dx_bytes_at(head, (size_t)head_size));
    dx_exchange_put(x, dx_bytes_at(list->text, list->text_size));
    dx_exchange_put(x, dx_bytes_at(tail, (size_t)tail_size));
    dx_exchange_end(x);
}

static void on_list(dx_presence_read *list)
{
    presence_op *op = DX_CONTAINER(list, presence_op, list);

    if (op->x && list->status == DX_PRESENCE_OK)
        answer_list(op);
    else if (op->x)
        dx_door_problem(
            op->x, list->status == DX_PRESENCE_ENDED ? DX_STREAM_ENDED : DX_STREAM_MEMORY, NULL);
    dx_presence_release(list);
    free(op);
}

/* Nobody is present where there is no stream: that is told as for every other door. */
static void on_read(dx_read *read)
{
    presence_op *op = DX_CONTAINER(read, presence_op, read);
    dx_stream_status status = read->status;

    dx_read_release(read);
    if (op->x && status == DX_STREAM_OK) {
        dx_presence_list(dx_door_hub(op->x), &op->list);
        return;
    }
    if (op->x)
        dx_door_problem(op->x, status, &read->info);
    free(op);
}

static bool read_number(dx_exchange *x, const char *name, uint64_t max, uint64_t *ret)
{
    char detail[96];
    dx_bytes text;

    if (!dx_door_argument(x, name, &text))
        return false;
    if (text.at == NULL || dx_stream_number_read(text, max, ret))
        return true;
    snprintf(detail, sizeof detail, "%s must be a whole number from 0 to %llu.", name,
             (unsigned long long)max);
    dx_exchange_problem(x, 400, detail);
    return false;
}

void dx_door_presence(dx_exchange *x, const dx_stream_route *route)
{
    uint64_t after = 0, limit = LIMIT_DEFAULT;

    if (!read_number(x, "after", UINT64_MAX, &after) ||
        !read_number(x, "limit", DX_PRESENCE_PAGE_MAX, &limit))
        return;
    presence_op *op = malloc(sizeof *op + x->path.size);
    if (op == NULL) {
        dx_door_no_memory(x);
        return;
    }
    dx_copy(op->path, x->path.at, x->path.size);
    dx_bytes path = dx_bytes_at(op->path, x->path.size);
    op->x = x;
    op->read = (dx_read){
        .ns = &route->ns, .path = path, .position = {.kind = DX_OFFSET_NOW}, .done = on_read};
    op->list = (dx_presence_read){
        .path = path, .after = after, .count_max = (uint32_t)limit, .done = on_list};
    dx_exchange_on_gone(x, dx_door_forget, &op->x);
    dx_hub_read(dx_door_hub(x), &op->read);
}
