/* Unit tests that print TAP: TEST("§5.5 a sentence") { CHECK(...); }
 * Is:     registration, checks, and the main function; include it once per test program.
 * Is not: mocks or fixtures.
 * SPDX-License-Identifier: MIT */
#ifndef DX_TESTS_TAP_H
#define DX_TESTS_TAP_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct tap_test {
    const char *name;
    void (*run)(void);
    struct tap_test *next;
} tap_test;

static tap_test *tap_first, **tap_last = &tap_first;
static int tap_failures; /* in the test that runs now */

#define TAP_JOIN2(a, b) a##b
#define TAP_JOIN(a, b) TAP_JOIN2(a, b)

/* Defines one test; the body follows. Names are sentences that begin with the RFC section. */
#define TEST(sentence)                                                                             \
    static void TAP_JOIN(tap_run_, __LINE__)(void);                                                \
    static tap_test TAP_JOIN(tap_node_, __LINE__) = {sentence, TAP_JOIN(tap_run_, __LINE__), NULL};  \
    __attribute__((constructor)) static void TAP_JOIN(tap_add_, __LINE__)(void)                    \
    {                                                                                              \
        *tap_last = &TAP_JOIN(tap_node_, __LINE__);                                                \
        tap_last = &TAP_JOIN(tap_node_, __LINE__).next;                                            \
    }                                                                                              \
    static void TAP_JOIN(tap_run_, __LINE__)(void)

#define TAP_FAIL(...)                                                                              \
    (tap_failures++ < 20 ? (printf("# %s:%d: ", __FILE__, __LINE__), printf(__VA_ARGS__),          \
                            (void)putchar('\n'))                                                   \
                         : (void)0)

#define CHECK(condition) ((condition) ? (void)0 : TAP_FAIL("not true: %s", #condition))

#define CHECK_INT(got, want)                                                                       \
    do {                                                                                           \
        long long tap_got = (long long)(got), tap_want = (long long)(want);                        \
        if (tap_got != tap_want)                                                                   \
            TAP_FAIL("%s is %lld, expected %lld", #got, tap_got, tap_want);                        \
    } while (0)

/* Compares (pointer, size) with (pointer, size). */
#define CHECK_MEM(got, got_size, want, want_size)                                                  \
    tap_check_mem(__FILE__, __LINE__, #got, (got), (got_size), (want), (want_size))
/* Compares a dx_bytes-like struct (fields at, size) with a C string. */
#define CHECK_BYTES(got, want) CHECK_MEM((got).at, (got).size, (want), strlen(want))

static inline void tap_print_bytes(const char *label, const uint8_t *at, size_t size)
{
    printf("#   %s (%zu): ", label, size);
    for (size_t i = 0; i < size && i < 160; i++)
        if (at[i] >= ' ' && at[i] < 0x7f)
            putchar(at[i]);
        else
            printf("\\x%02x", at[i]);
    printf("\n");
}

static inline void tap_check_mem(const char *file, int line, const char *what, const void *got,
                                 size_t got_size, const void *want, size_t want_size)
{
    if (got_size == want_size && (got_size == 0 || memcmp(got, want, got_size) == 0))
        return;
    if (tap_failures++ >= 20)
        return;
    printf("# %s:%d: %s differs\n", file, line, what);
    tap_print_bytes("got", got, got_size);
    tap_print_bytes("want", want, want_size);
}

/* Usage: test [SUBSTRING] runs the tests whose name holds it. */
int main(int argc, char **argv)
{
    int count = 0, number = 0, failed = 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    for (tap_test *t = tap_first; t; t = t->next)
        count += argc < 2 || strstr(t->name, argv[1]) != NULL;
    printf("1..%d\n", count);
    for (tap_test *t = tap_first; t; t = t->next) {
        if (argc >= 2 && strstr(t->name, argv[1]) == NULL)
            continue;
        tap_failures = 0;
        t->run();
        printf("%s %d - %s\n", tap_failures ? "not ok" : "ok", ++number, t->name);
        failed += tap_failures != 0;
    }
    return failed || count == 0;
}

#endif
