/* Made-up message contents of five kinds, for the compression cases.
 * Is:      deterministic: the same kind, size and seed give the same octets.
 * Is not:  taken from anywhere; words and markup are put together here.
 * SPDX-License-Identifier: MIT */
#ifndef DX_CONFORMANCE_WS_DATA_H
#define DX_CONFORMANCE_WS_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum wst_data {
    WST_DATA_JSON,   /* text: records with numbers and words */
    WST_DATA_BITMAP, /* binary: rows of pixels with runs and some noise */
    WST_DATA_PROSE,  /* text: sentences with umlauts */
    WST_DATA_HTML,   /* text: nested markup */
    WST_DATA_PDF,    /* binary: plain objects between octets that do not compress */
} wst_data;

bool wst_data_is_text(wst_data kind);

/* Fills at[0 .. size); texts are valid UTF-8 of exactly that size. */
void wst_data_make(wst_data kind, uint64_t seed, uint8_t *at, size_t size);

#endif
