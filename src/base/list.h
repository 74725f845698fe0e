/* Intrusive doubly linked lists: the head and every link are one struct.
 * Is:     init, insert, remove, walk. A link that is in no list points at itself.
 * Is not: owned memory: the link lives in the object, DX_CONTAINER leads back to it.
 * Threads: one at a time.
 * SPDX-License-Identifier: MIT */
#ifndef DX_BASE_LIST_H
#define DX_BASE_LIST_H

#include "base/assert.h"

typedef struct dx_list {
    struct dx_list *prev, *next;
} dx_list;

static inline void dx_list_init(dx_list *l)
{
    l->prev = l->next = l;
}

/* True for an empty head, and for a link that is in no list. */
static inline bool dx_list_is_empty(const dx_list *l)
{
    return l->next == l;
}

static inline void dx_list_insert_before(dx_list *at, dx_list *link)
{
    dx_assert(dx_list_is_empty(link));
    link->prev = at->prev, link->next = at;
    at->prev->next = link, at->prev = link;
}

static inline void dx_list_append(dx_list *head, dx_list *link)
{
    dx_list_insert_before(head, link);
}

static inline void dx_list_remove(dx_list *link)
{
    link->prev->next = link->next, link->next->prev = link->prev;
    dx_list_init(link);
}

/* Moves everything in `from` to the end of `to`. */
static inline void dx_list_splice(dx_list *to, dx_list *from)
{
    if (dx_list_is_empty(from))
        return;
    from->next->prev = to->prev, to->prev->next = from->next;
    from->prev->next = to, to->prev = from->prev;
    dx_list_init(from);
}

/* Takes the first link out of `head`; NULL if there is none. */
static inline dx_list *dx_list_take_first(dx_list *head)
{
    if (dx_list_is_empty(head))
        return NULL;
    dx_list *first = head->next;
    dx_list_remove(first);
    return first;
}

#endif
