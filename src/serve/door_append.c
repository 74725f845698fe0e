/* POST on a stream: appends, and closes.
 * Is:     Durable Streams 1.0 §5.2, §5.2.1, §5.3; of ours If-Match, Idempotency-Key, Stream-Durability and
 *         Stream-Subscribers.
 * Memory: one operation while a request waits for the stream's home worker.
 * SPDX-License-Identifier: MIT */
#include "serve/access_who.h"

#include "base/assert.h"
#include "codec/http_etag.h"
#include "codec/stream_rules.h"

#include <stdlib.h>

enum { NAME_BYTES_MAX = 255 }; /* of Stream-Seq, Producer-Id and Idempotency-Key */

typedef struct post_op {
    dx_append append;
    dx_append_rules rules;
    dx_exchange *x; /* NULL once the client has gone */
    dx_message **messages;
    bool has_message; /* else it only closes */
    uint8_t bytes[];  /* what the home looks at: the exchange may be gone before it does */
} post_op;

static void post_op_free(post_op *op)
{
    free(op->messages);
    free(op);
}

/* ---- the answer ------------------------------------------------------------------------------- */

static void answer_appended(post_op *op)
{
    const dx_append_rules *rules = &op->rules;
    bool has_producer = rules->producer.size > 0;
    bool is_new = op->has_message && !rules->is_duplicate;
    dx_door_headers h = {0};

    dx_door_add_offset(&h, "Stream-Next-Offset", op->append.next);
    if (op->append.is_closed)
        dx_door_add(&h, "Stream-Closed", DX_BYTES("true"));
    if (has_producer) {
        dx_door_add_number(&h, "Producer-Epoch", rules->answer_epoch);
        dx_door_add_number(&h, "Producer-Seq", rules->answer_sequence);
    }
    dx_door_add(&h, "Stream-Durability", dx_door_durability(op->append.ns));
    dx_door_add_number(&h, "Stream-Subscribers", op->append.subscribers_count);
    dx_exchange_respond(op->x, &(dx_response){.status = has_producer && is_new ? 200 : 204,
                                              .headers = h.at,
                                              .headers_count = h.count});
}

static void answer_refused(post_op *op)
{
    const dx_append_rules *rules = &op->rules;
    dx_stream_status status = op->append.status;
    dx_door_headers h = {0};

    if (status == DX_STREAM_CLOSED)
        dx_door_add(&h, "Stream-Closed", DX_BYTES("true"));
    if (status == DX_STREAM_CLOSED || status == DX_STREAM_MISMATCH)
        dx_door_add_offset(&h, "Stream-Next-Offset", op->append.next);
    if (status == DX_STREAM_PRODUCER_STALE)
        dx_door_add_number(&h, "Producer-Epoch", rules->answer_epoch);
    if (status == DX_STREAM_PRODUCER_GAP) {
        dx_door_add_number(&h, "Producer-Expected-Seq", rules->answer_sequence);
        dx_door_add_number(&h, "Producer-Received-Seq", rules->producer_sequence);
    }
    if (status == DX_STREAM_RATE)
        dx_door_add_number(&h, "Retry-After",
                           op->append.retry_ms < 1000 ? 1 : (op->append.retry_ms + 999) / 1000);
    dx_door_problem_with(op->x, status, NULL, &h);
}

static void on_appended(dx_append *append)
{
    post_op *op = DX_CONTAINER(append, post_op, append);

    if (op->x && append->status == DX_STREAM_OK)
        answer_appended(op);
    else if (op->x)
        answer_refused(op);
    post_op_free(op);
}

/* ---- the request ------------------------------------------------------------------------------ */

static bool bad(dx_exchange *x, const char *detail)
{
    dx_exchange_problem(x, 400, detail);
    return false;
}

/* §5.2.1: all three or none. */
static bool read_producer(dx_exchange *x, dx_append_rules *rules)
{
    dx_bytes epoch, sequence;
    const dx_http_fields *f = &x->head.fields;
    bool has_id = dx_http_fields_has(f, DX_HTTP_PRODUCER_ID);

    if (has_id != dx_http_fields_has(f, DX_HTTP_PRODUCER_EPOCH) ||
        has_id != dx_http_fields_has(f, DX_HTTP_PRODUCER_SEQ))
        return bad(x, "Producer-Id, Producer-Epoch and Producer-Seq come together or not at all.");
    if (!has_id)
        return true;
    if (!dx_door_field(x, DX_HTTP_PRODUCER_ID, NAME_BYTES_MAX, &rules->producer) ||
        !dx_door_field(x, DX_HTTP_PRODUCER_EPOCH, 16, &epoch) ||
        !dx_door_field(x, DX_HTTP_PRODUCER_SEQ, 16, &sequence))
        return false;
    if (!dx_stream_number_read(epoch, DX_STREAM_NUMBER_MAX, &rules->producer_epoch))
        return bad(x, "Producer-Epoch must be a whole number from 0 to 9007199254740991.");
    if (!dx_stream_number_read(sequence, DX_STREAM_NUMBER_MAX, &rules->producer_sequence))
        return bad(x, "Producer-Seq must be a whole number from 0 to 9007199254740991.");
    return true;
}

/* If-Match: "<offset>" */
static bool read_expected(dx_exchange *x, dx_append_rules *rules)
{
    dx_bytes value;
    dx_http_etag tag;

    if (!dx_door_field(x, DX_HTTP_IF_MATCH, NAME_BYTES_MAX, &value))
        return false;
    if (value.size == 0)
        return true;
    if (!dx_http_etag_read(value, &tag) || tag.is_weak ||
        dx_offset_read(tag.opaque, &rules->expected) != DX_OFFSET_AT)
        return bad(x, "If-Match must be one Stream-Next-Offset in double quotes.");
    rules->has_expected = true;
    return true;
}

static bool read_rules(dx_exchange *x, dx_append_rules *rules)
{
    rules->is_closing = dx_door_is_closing(x);
    return read_producer(x, rules) && read_expected(x, rules) &&
           dx_door_field(x, DX_HTTP_STREAM_SEQ, NAME_BYTES_MAX, &rules->sequence) &&
           dx_door_field(x, DX_HTTP_IDEMPOTENCY_KEY, NAME_BYTES_MAX, &rules->key);
}

/* What closes without a message has no type, whatever it says (§5.2). */
static bool read_type(dx_exchange *x, const dx_stream_route *route, bool is_closing, dx_bytes *ret)
{
    *ret = (dx_bytes){0};
    if (x->body.size == 0 && is_closing)
        return true;
    if (!dx_door_type(x, ret))
        return false;
    if (x->body.size > 0 && ret->size == 0)
        return bad(x, "A message needs a Content-Type: that of its stream.");
    return x->body.size == 0 || dx_door_check_type(x, &route->ns, *ret);
}

static void keep(uint8_t **to, dx_bytes *view)
{
    dx_copy(*to, view->at, view->size);
    *view = (dx_bytes){*to, view->size};
    *to += view->size;
}

static post_op *post_op_new(dx_exchange *x, const dx_append_rules *rules, dx_bytes type)
{
    size_t size =
        x->path.size + type.size + rules->sequence.size + rules->producer.size + rules->key.size;
    post_op *op = malloc(sizeof *op + size);

    if (op == NULL)
        return NULL;
    *op = (post_op){.x = x, .rules = *rules};
    op->append = (dx_append){
        .path = x->path,
        .type = type,
        .kind = type.size > 0 ? dx_door_kind(type) : DX_STREAM_UNDECIDED,
        .rules = &op->rules,
        .done = on_appended,
    };
    uint8_t *to = op->bytes;
    dx_bytes *const views[] = {&op->append.path, &op->append.type, &op->rules.sequence,
                               &op->rules.producer, &op->rules.key};
    for (size_t i = 0; i < DX_COUNT(views); i++)
        keep(&to, views[i]);
    return op;
}

/* The rate of a capability; false: it was answered. */
static bool is_within_rate(dx_exchange *x, const dx_stream_route *route, const dx_grant *grant, size_t count)
{
    dx_door_headers h = {0};

    if (grant->by == NULL || grant->by->rate_max == 0 || count == 0)
        return true;
    uint64_t retry_ms = dx_allowance_take(&route->server->allowances, dx_asker_of(x, route->server)->who,
                                          grant->by, count);
    if (retry_ms == 0)
        return true;
    dx_door_add_number(&h, "Retry-After", (retry_ms + 999) / 1000);
    dx_exchange_problem_with(x, 429, "These are more messages a second than your capability allows.", h.at,
                             h.count);
    return false;
}

void dx_door_post(dx_exchange *x, void *context)
{
    const dx_stream_route *route = context;
    dx_append_rules rules = {0};
    dx_door_messages messages = {0};
    dx_bytes type;
    dx_grant grant;

    x->sort = DX_SORT_PUBLISH;
    if (!dx_door_enter(x, route) || !dx_door_may(x, route, DX_ACTION_PUBLISH, &grant) ||
        !read_rules(x, &rules) || !read_type(x, route, rules.is_closing, &type))
        return;
    bool is_close_only = x->body.size == 0 && rules.is_closing;
    if (!is_close_only &&
        !dx_door_messages_read(x, dx_door_kind(type),
                               dx_grant_message_max(&grant, route->ns.message_bytes_max), false,
                               &messages))
        return;
    if (!is_within_rate(x, route, &grant, messages.count)) {
        dx_door_messages_drop(&messages);
        return;
    }
    post_op *op = post_op_new(x, &rules, type);
    if (op == NULL) {
        dx_door_messages_drop(&messages);
        dx_door_no_memory(x);
        return;
    }
    op->append.ns = &route->ns;
    op->append.messages = op->messages = messages.at;
    op->append.count = messages.count;
    op->has_message = messages.count > 0;
    dx_exchange_on_gone(x, dx_door_forget, &op->x);
    dx_hub_append(dx_door_hub(x), &op->append);
}
