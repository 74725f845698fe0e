/* What one worker has counted, taken and added up.
 * SPDX-License-Identifier: MIT */
#include "serve/metrics.h"

bool dx_figures_take(dx_figures *f, dx_worker *w)
{
    const dx_hub *hub = dx_streams_hub(w->server->streams, w->index);

    if (!dx_hub_count(dx_streams_hub(w->server->streams, w->index), &f->census))
        return false;
    f->conns_count = w->net.conns_count;
    f->carried_count = w->net.carried_count;
    f->http1_count = w->http.conns.live_count + w->redirect.conns.live_count;
    f->http2_count = dx_http2_conns_count(&w->http) + dx_http2_conns_count(&w->redirect);
    f->websockets_count = w->ws.sessions.live_count;
    f->accepted_count = w->net.conns_begun_count;
    f->bytes_in = w->net.bytes_in;
    f->bytes_out = w->net.bytes_out;
    f->net = w->net.counts;
    for (unsigned i = 0; i < DX_HTTP2_CODES_COUNT; i++)
        f->goaways[i] = w->http.goaways[i] + w->redirect.goaways[i];
    f->websockets_begun = w->ws.begun_count;
    f->websockets_silent = w->ws.silent_count;
    memcpy(f->closes, w->ws.closes, sizeof f->closes);
    f->counts = w->counts;
    f->traffic = dx_hub_traffic_of(hub);
    f->latency = *dx_hub_latency(hub);
    f->turns = dx_loop_take_turns(w->loop);
    f->is_known = true;
    return true;
}

static void join(uint64_t *to, const uint64_t *from, size_t count)
{
    for (size_t i = 0; i < count; i++)
        to[i] += from[i];
}

/* Structs of numbers and nothing else. */
#define JOIN(field)                                                                                \
    join((uint64_t *)&to->field, (const uint64_t *)&from->field, sizeof to->field / 8)

void dx_figures_join(dx_figures *to, const dx_figures *from)
{
    uint64_t lag_max = dx_max_size(to->census.lag_max, from->census.lag_max);

    to->conns_count += from->conns_count;
    to->carried_count += from->carried_count;
    to->http1_count += from->http1_count;
    to->http2_count += from->http2_count;
    to->websockets_count += from->websockets_count;
    to->accepted_count += from->accepted_count;
    to->bytes_in += from->bytes_in;
    to->bytes_out += from->bytes_out;
    JOIN(net);
    JOIN(goaways);
    to->websockets_begun += from->websockets_begun;
    to->websockets_silent += from->websockets_silent;
    JOIN(closes);
    JOIN(counts);
    JOIN(traffic);
    JOIN(census);
    to->census.lag_max = lag_max;
    dx_histogram_join(&to->latency, &from->latency);
}
