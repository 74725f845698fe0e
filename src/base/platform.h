/* Compiler and machine differences, in one place.
 * Is:     attributes, branch hints, small constant helpers; the only file with feature #ifs.
 * Is not: operating-system services (loop, net).
 * SPDX-License-Identifier: MIT */
#ifndef DX_BASE_PLATFORM_H
#define DX_BASE_PLATFORM_H

#include <duplex/types.h>

#define DX_LIKELY(x) __builtin_expect(!!(x), 1)
#define DX_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define DX_PRINTF(text, first) __attribute__((format(printf, text, first)))
#define DX_NORETURN __attribute__((noreturn, cold))
#define DX_CLEANUP(fn) __attribute__((cleanup(fn)))
#define DX_BIT(n) (1u << (n))
#define DX_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The object that holds `member` at `pointer`. */
#define DX_CONTAINER(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

#if defined(__x86_64__)
#define DX_HAVE_X86_SIMD 1
#else
#define DX_HAVE_X86_SIMD 0
#endif

#if defined(__SANITIZE_ADDRESS__)
#define DX_HAVE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define DX_HAVE_ASAN 1
#endif
#endif
#ifndef DX_HAVE_ASAN
#define DX_HAVE_ASAN 0
#endif

static inline size_t dx_min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline size_t dx_max_size(size_t a, size_t b)
{
    return a > b ? a : b;
}

static inline uint64_t dx_min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

#endif
