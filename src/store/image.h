/* What a store holds as one sees it: the settled rows with the unsettled changes over them.
 * Is:     loading a stream and reading messages, at once, on the calling thread.
 * Is not: asynchronous (sqlite), changing anything.
 * Memory: what is given to the asker.
 * Threads: one per image; the store's thread may commit and settle meanwhile.
 *
 * Why a look at both is one look: a settlement first commits the rows and then forgets the changes, both under
 * `settling` for writing; who looks holds it for reading. So what was unsettled when it began is still
 * there when it reads the rows, or they have it.
 * SPDX-License-Identifier: MIT */
#ifndef DX_STORE_IMAGE_H
#define DX_STORE_IMAGE_H

#include "store/db.h"
#include "store/unsettled.h"

typedef struct dx_image {
    dx_db *db;
    dx_unsettled *unsettled;
    pthread_rwlock_t *settling; /* NULL: nothing settles meanwhile */
    uint64_t life;              /* of this opening: the origins of others mean nothing now */
} dx_image;

/* The facts of one stream in one block. */
typedef struct dx_facts {
    dx_store_fact *at;
    size_t count;
    dx_buffer bytes; /* what `at` points into */
} dx_facts;

/* Fills what `load` says, but does not call `done`. Without a path: the stream `id`, also one whose path was
 * freed. In a transaction of its own, unless one was begun. facts, record: what its views point into; given. */
void dx_image_load(dx_image *image, dx_store_load *load, dx_facts *facts, dx_buffer *record);
void dx_facts_free(dx_facts *facts);

/* Fills what `scan` says, of what is settled; does not call `done`. rows, bytes: what its views point into;
 * given (dx_buffer_clear). */
void dx_image_scan(dx_image *image, dx_store_scan *scan, dx_buffer *rows, dx_buffer *bytes);

/* Fills what `read` says; does not call `done`. */
void dx_image_read(dx_image *image, dx_store_read *read);

#endif
