/* Chunked content, both ways: incremental, in place, and stingy with what is not content.
 * Is:     RFC 9112 §7.1 read byte by byte; extensions and trailers are checked and dropped.
 * Is not: content limits (http layer), other transfer codings (refused in http_message).
 * Memory: one small struct; content is given as views into the input.   Threads: one at a time.
 * Source: RFC 9112 §7.1.
 * SPDX-License-Identifier: MIT */
#ifndef DX_CODEC_HTTP_CHUNK_H
#define DX_CODEC_HTTP_CHUNK_H

#include "codec/http_status.h"

#define DX_HTTP_CHUNK_EXTENSION_MAX 256               /* bytes of extensions on one line */
#define DX_HTTP_CHUNK_OVERHEAD_MAX ((uint64_t)102400) /* below it the share does not matter */
#define DX_HTTP_TRAILERS_MAX 4096                     /* bytes of all trailer lines */

typedef struct dx_http_chunks {
    uint64_t left;     /* of the chunk that is read now */
    uint64_t content;  /* bytes of content so far */
    uint64_t overhead; /* all other bytes so far */
    uint16_t line;     /* bytes of size digits, of extensions, or of trailers: by state */
    uint8_t state;
} dx_http_chunks;

static inline void dx_http_chunks_init(dx_http_chunks *c)
{
    *c = (dx_http_chunks){0};
}

/* Reads on in `*in`, which is moved past all that was used: nothing needs to be kept by the caller.
 * Returns:
 *   DATA  `*ret` views 1 byte or more of content inside the input; call again with the rest;
 *   MORE  `*in` is empty: call again when there is more;
 *   END   the content is whole; what is left in `*in` belongs to the next message;
 *   fault the framing is broken: answer and close. The reader must not be used again.
 * Faults: sizes that are not 1-16 hex digits or pass 2^63-1; extensions that break the grammar or
 * DX_HTTP_CHUNK_EXTENSION_MAX; any line end but CRLF; trailers that are no field lines or pass
 * DX_HTTP_TRAILERS_MAX; overhead of DX_HTTP_CHUNK_OVERHEAD_MAX or more that is over three quarters
 * of all bytes. */
dx_http_status dx_http_chunk_read(dx_http_chunks *c, dx_bytes *in, dx_bytes *ret);

/* Bytes of content that are sure to come: what is left of a chunk whose size line was read whole; else 0. */
uint64_t dx_http_chunk_announced(const dx_http_chunks *c);

#define DX_HTTP_CHUNK_HEAD_MAX 18 /* 16 digits, CR, LF */

/* Writes the head of a chunk of `size` bytes, 1 or more. Returns the head's size. After the content
 * comes CRLF; after the last chunk "0\r\n\r\n". */
size_t dx_http_chunk_head_write(uint64_t size, uint8_t at[static DX_HTTP_CHUNK_HEAD_MAX]);

#endif
