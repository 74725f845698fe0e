/* Names that are looked up: the system's resolver blocks, so it has a thread for each.
 * SPDX-License-Identifier: MIT */
#include "client/client.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct dx_lookup {
    dx_list link;
    dx_post post;
    dx_client *client;
    dx_lookup_done *done; /* NULL: nobody wants to know */
    void *context;
    dx_address address;
    dx_err err;
    uint16_t port;
    bool has_thread;
    pthread_t thread;
    char host[];
};

static void on_post(dx_post *post)
{
    dx_lookup *l = DX_CONTAINER(post, dx_lookup, post);

    if (l->has_thread)
        pthread_join(l->thread, NULL);
    dx_list_remove(&l->link);
    if (l->done)
        l->done(l->context, l->err, &l->address);
    free(l);
}

static void *look_up(void *context)
{
    dx_lookup *l = context;

    l->err = dx_address_resolve(l->host, l->port, &l->address);
    while (dx_loop_post(l->client->loop, &l->post) != DX_OK) /* its mailbox is full just now */
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    return NULL;
}

/* An address, or localhost, which is 127.0.0.1 as for servers: one that listens there may not listen on ::1. */
static bool read_address(dx_lookup *l)
{
    dx_bytes host = dx_bytes_of(l->host);
    bool is_local = dx_bytes_equal_nocase(host, DX_BYTES("localhost"));
    bool is_v6 = strchr(l->host, ':') != NULL;
    bool is_v4 = host.size > 0 && strspn(l->host, "0123456789.") == host.size;

    if (!is_local && !is_v4 && !is_v6)
        return false;
    l->err = dx_address_resolve(is_local ? "127.0.0.1" : l->host, l->port, &l->address);
    return true;
}

static dx_err start_thread(dx_lookup *l)
{
    sigset_t all, before;

    sigfillset(&all); /* signals are for the program's threads */
    pthread_sigmask(SIG_BLOCK, &all, &before);
    l->has_thread = true;
    int error = pthread_create(&l->thread, NULL, look_up, l);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error == 0 ? DX_OK : DX_ERR_SYSTEM;
}

dx_err dx_lookup_begin(dx_client *c, const dx_place *place, dx_lookup_done *done, void *context,
                       dx_lookup **ret)
{
    size_t host_bytes = strlen(place->host) + 1;
    dx_lookup *l = calloc(1, sizeof *l + host_bytes);

    if (l == NULL)
        return DX_ERR_MEMORY;
    memcpy(l->host, place->host, host_bytes);
    l->post.run = on_post;
    l->client = c;
    l->port = place->url.port;
    l->done = done;
    l->context = context;
    dx_list_init(&l->link);
    dx_list_append(&c->lookups, &l->link);
    dx_err err = read_address(l) ? dx_loop_post(c->loop, &l->post) : start_thread(l);
    if (err != DX_OK) {
        dx_list_remove(&l->link);
        free(l);
        return err;
    }
    *ret = l;
    return DX_OK;
}

void dx_lookup_forget(dx_lookup *l)
{
    if (l)
        l->done = NULL;
}
