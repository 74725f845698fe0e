/* The WebSocket door: being present, and hearing of others.
 * Is:     joining by the query and by control frames, leaving, the change to the feed that has notes.
 * Is not: the members themselves (stream/presence.h), listing them (door_presence.c).
 * SPDX-License-Identifier: MIT */
#include "serve/door_websocket.h"

#include "base/assert.h"

typedef struct refusal {
    uint16_t status;
    const char *text;
} refusal;

static refusal refusal_of(dx_presence_status status)
{
    switch (status) {
    case DX_PRESENCE_BAD_ID:
        return (refusal){400, "a member's id is up to 64 bytes of UTF-8 without control bytes"};
    case DX_PRESENCE_BAD_DATA: return (refusal){400, "a member's data is up to 1024 bytes of JSON"};
    case DX_PRESENCE_FULL:
        return (refusal){503, "nobody else can be present, or with more data, for now"};
    case DX_PRESENCE_MEMORY: return (refusal){503, "out of memory, try again later"};
    case DX_PRESENCE_ENDED: return (refusal){503, "the stream is gone"};
    case DX_PRESENCE_OK: break;
    }
    dx_unreachable("a refusal of presence that is none");
}

/* Raw sessions cannot be told otherwise. */
static void refuse(dx_ws_door *d, dx_presence_status status)
{
    refusal r = refusal_of(status);

    if (d->is_v1)
        dx_v1_refuse(d, (dx_bytes){0}, r.status, r.text);
    else
        dx_ws_door_close(d, DX_WS_CLOSE_TRY_LATER, dx_bytes_of(r.text));
}

static void on_done(void *context, dx_presence_status status)
{
    dx_wide_door *wide = context;

    if (status == DX_PRESENCE_OK) {
        wide->has_joined = true;
        return;
    }
    if (!wide->has_joined)
        dx_presence_leave(&wide->member);
    if (status != DX_PRESENCE_ENDED) /* else the session ends, too */
        refuse(&wide->door, status);
}

/* ---- hearing of others ------------------------------------------------------------------------ */

void dx_v1_change_feed(dx_ws_door *d)
{
    dx_wide_door *wide = dx_wide_door_of(d);

    if (!wide->is_notes_owed || !dx_ws_is_open(d->ws) || d->sub.state != DX_SUBSCRIBER_LIVE ||
        dx_subscriber_is_behind(&d->sub))
        return;
    dx_subscription wish = {
        .encoding = &dx_v1_notes_encoding,
        .variant = d->sub.feed->variant,
        .next = dx_topic_next(d->topic),
        .origin = d->sub.origin,
        .on_slow = (dx_on_slow)d->sub.on_slow,
    };
    wide->is_notes_owed = false;
    dx_subscriber_end(&d->sub);
    dx_ws_door_read(d, &wish);
}

static void begin_hearing(dx_ws_door *d)
{
    dx_wide_door *wide = dx_wide_door_of(d);

    if (wide->is_hearing || !d->is_v1 || d->sub.feed == NULL)
        return;
    if (dx_presence_watch(d->topic) != DX_OK) {
        refuse(d, DX_PRESENCE_MEMORY);
        return;
    }
    wide->is_hearing = true;
    if (d->sub.feed->encoding != &dx_v1_notes_encoding) {
        wide->is_notes_owed = true;
        dx_v1_pay(d);
    }
}

/* ---- being there ------------------------------------------------------------------------------ */

void dx_ws_door_join(dx_ws_door *d, dx_bytes data)
{
    dx_wide_door *wide = dx_wide_door_of(d);
    dx_presence_status status;

    begin_hearing(d); /* before it joins, so that it hears of that, too */
    if (wide->member)
        status = dx_presence_update(wide->member, data);
    else
        status = dx_presence_join(d->topic,
                                  &(dx_member_wish){.id = dx_bytes_at(wide->id, wide->id_size),
                                                    .data = data,
                                                    .done = on_done,
                                                    .context = wide},
                                  &wide->member);
    if (status != DX_PRESENCE_OK)
        refuse(d, status);
}

static void leave(dx_wide_door *wide)
{
    wide->has_joined = false;
    dx_presence_leave(&wide->member);
}

void dx_ws_door_leave(dx_ws_door *d)
{
    if (!d->is_wide)
        return;
    dx_wide_door *wide = dx_wide_door_of(d);
    leave(wide);
    if (wide->is_hearing)
        dx_presence_unwatch(d->topic);
    wide->is_hearing = false;
}

void dx_v1_on_presence(dx_ws_door *d, dx_bytes value)
{
    dx_wide_door *wide = dx_wide_door_of(d);

    if (!wide->may_see)
        dx_v1_refuse(d, (dx_bytes){0}, 403, "you may not see who is present at this stream");
    else if (dx_bytes_equal(value, DX_BYTES("null")))
        leave(wide);
    else
        dx_ws_door_join(d, value);
}
