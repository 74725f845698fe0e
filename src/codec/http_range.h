/* Byte ranges: the Range field of a request, Content-Range of a response.
 * Is:     RFC 9110 §14, with the defence of §17.15: many or overlapping ranges are ignored.
 * Is not: If-Range (http_conditions), multipart bodies (http layer).
 * Memory: allocates nothing.   Threads: any.
 * SPDX-License-Identifier: MIT */
#ifndef DX_CODEC_HTTP_RANGE_H
#define DX_CODEC_HTTP_RANGE_H

#include "base/bytes.h"

#define DX_HTTP_RANGES_MAX 16

typedef struct dx_http_range {
    uint64_t first, last; /* both inside; last < size */
} dx_http_range;

typedef enum dx_http_range_status {
    DX_HTTP_RANGE_OK,            /* answer 206 with these ranges */
    DX_HTTP_RANGE_IGNORED,       /* answer as if there were no Range: 200 */
    DX_HTTP_RANGE_UNSATISFIABLE, /* answer 416 with Content-Range: bytes *\/size */
} dx_http_range_status;

/* Reads the value of a Range field for something of `size` bytes. Ranges come in the order asked,
 * those that start past the end left out. Ignored: another unit, bad grammar, more than
 * DX_HTTP_RANGES_MAX, overlapping ones. ret, count: set on OK only. */
dx_http_range_status dx_http_range_read(dx_bytes value, uint64_t size,
                                        dx_http_range ret[static DX_HTTP_RANGES_MAX],
                                        size_t *count);

#define DX_HTTP_CONTENT_RANGE_MAX 69 /* "bytes ", three numbers of 20 digits, "-", "/" */

/* Writes "bytes first-last/size". Returns its size. */
size_t dx_http_content_range_write(dx_http_range range, uint64_t size,
                                   uint8_t at[static DX_HTTP_CONTENT_RANGE_MAX]);

/* Writes "bytes *\/size", for 416. Returns its size. */
size_t dx_http_content_range_write_none(uint64_t size,
                                        uint8_t at[static DX_HTTP_CONTENT_RANGE_MAX]);

typedef struct dx_http_content_range {
    bool has_range, has_size; /* false where a "*" stands */
    dx_http_range range;
    uint64_t size;
} dx_http_content_range;

/* Reads a Content-Range value with the unit bytes. */
bool dx_http_content_range_read(dx_bytes value, dx_http_content_range *ret);

#endif
