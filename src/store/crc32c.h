/* CRC-32C (Castagnoli): finds what a medium has changed.
 * Is:     one function, by the machine's own instruction where it has one, else by a table.
 * Is not: a protection against anybody's intent.
 * Memory: allocates nothing.   Threads: any.
 * Source: RFC 3720 §12.1 and its test vectors in B.4.
 * SPDX-License-Identifier: MIT */
#ifndef DX_STORE_CRC32C_H
#define DX_STORE_CRC32C_H

#include "base/bytes.h"

/* The checksum of what `crc` stands for (0: nothing) followed by `in`. */
uint32_t dx_crc32c(uint32_t crc, dx_bytes in);

/* The same by table, on any machine: what dx_crc32c falls back to. */
uint32_t dx_crc32c_portable(uint32_t crc, dx_bytes in);

/* The same of eight bytes, the lowest first. */
uint32_t dx_crc32c_u64(uint32_t crc, uint64_t value);

#endif
