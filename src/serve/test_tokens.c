/* Leases, revocations, and keys that are loaded again.
 * SPDX-License-Identifier: MIT */
#include "base/clock.h"
#include "codec/base64.h"
#include "crypto/key.h"
#include "serve/lease.h"
#include "serve/revoked.h"
#include "serve/tokens.h"
#include "tests/tap.h"

#include <unistd.h>

static dx_principal *somebody(const char *subject, const char *id, uint64_t issued_ms)
{
    char why[DX_WHY_BYTES];
    dx_principal *who = NULL;
    const dx_principal like = {.subject = dx_bytes_of(subject),
                               .token_id = dx_bytes_of(id),
                               .issued_ms = issued_ms,
                               .until_ms = DX_FOR_EVER};

    CHECK_INT(dx_principal_new(&like, (dx_bytes){0}, &who, why), DX_OK);
    return who;
}

static bool is_revoked(dx_revoked *list, const char *subject, const char *id, uint64_t issued_ms)
{
    dx_principal *who = somebody(subject, id, issued_ms);
    bool is = dx_revoked_has(list, who);

    dx_principal_unref(who);
    return is;
}

TEST("what is revoked is revoked after a restart, too; what has expired is forgotten")
{
    char file[] = "/tmp/duplex-revoked-XXXXXX", why[DX_REVOKED_WHY_BYTES];
    int fd = mkstemp(file);
    dx_revoked list;

    for (int round = 0; round < 3; round++) {
        CHECK_INT(dx_revoked_init(&list, file, why), DX_OK);
        if (round == 0) {
            CHECK_INT(dx_revoked_add(&list, &(dx_revocation){.id = dx_bytes_of("a\"b"),
                                                             .until_ms = DX_FOR_EVER}),
                      DX_OK);
            CHECK_INT(
                dx_revoked_add(&list, &(dx_revocation){.id = dx_bytes_of("gone"), .until_ms = 1}),
                DX_OK);
            CHECK_INT(dx_revoked_add(&list, &(dx_revocation){.subject = dx_bytes_of("ada"),
                                                             .before_ms = 5000,
                                                             .until_ms = DX_FOR_EVER}),
                      DX_OK);
            CHECK_INT(dx_revoked_add(&list, &(dx_revocation){.until_ms = 1}), DX_ERR_NAME);
            CHECK_INT(dx_revoked_add(&list, &(dx_revocation){.id = dx_bytes_of("x"),
                                                             .subject = dx_bytes_of("y")}),
                      DX_ERR_NAME);
        }
        CHECK(is_revoked(&list, "bob", "a\"b", 9));
        CHECK(!is_revoked(&list, "bob", "a", 9));
        CHECK(!is_revoked(&list, "bob", "gone", 9));
        CHECK(is_revoked(&list, "ada", "t", 5000));
        CHECK(is_revoked(&list, "ada", "", 0)); /* it does not say when */
        CHECK(!is_revoked(&list, "ada", "t", 5001));
        CHECK(!is_revoked(&list, "a\"b", "ada", 1));
        dx_revoked_deinit(&list);
        if (round == 1)
            CHECK(pwrite(fd, "{\"jti\":\"cut", 11, lseek(fd, 0, SEEK_END)) == 11); /* of a crash */
    }
    CHECK(write(fd, "", 0) == 0 && pwrite(fd, "nonsense\n", 9, lseek(fd, 0, SEEK_END)) == 9);
    CHECK_INT(dx_revoked_init(&list, file, why), DX_ERR_NAME);
    CHECK(strstr(why, file) != NULL);
    CHECK_INT(dx_revoked_init(&list, "/nowhere/at/all", why), DX_ERR_NOT_FOUND);
    close(fd);
    unlink(file);
}

/* ---- leases ------------------------------------------------------------------------------------- */

typedef struct session {
    dx_lease lease;
    int ended[2]; /* by dx_lease_end */
} session;

static void on_ended(dx_lease *lease, dx_principal *who, dx_lease_end why)
{
    (void)who;
    DX_CONTAINER(lease, session, lease)->ended[why]++;
}

static bool is_bob(void *context, const dx_principal *who)
{
    return dx_bytes_equal(who->subject, dx_bytes_of(context));
}

TEST(
    "a lease ends when its time is over, or when it is revoked, once; one that was dropped does not")
{
    dx_loop *loop;
    dx_leases leases;
    session s[4] = {0};
    dx_principal *ada = somebody("ada", "", 0), *bob = somebody("bob", "", 0);
    uint64_t now_ms = dx_clock_wall_ms();

    CHECK_INT(dx_loop_new(&(dx_loop_options){.kind = DX_LOOP_EPOLL}, &loop), DX_OK);
    dx_leases_init(&leases, loop);
    for (int i = 0; i < 4; i++)
        s[i].lease.ended = on_ended;
    dx_lease_hold(&s[0].lease, &leases, ada, now_ms + 60);
    dx_lease_hold(&s[1].lease, &leases, bob, DX_FOR_EVER);
    dx_lease_hold(&s[2].lease, &leases, ada, now_ms + 60);
    dx_lease_hold(&s[3].lease, &leases, bob, now_ms + 3600000);
    dx_lease_drop(&s[2].lease);
    dx_lease_drop(&s[2].lease);
    for (int i = 0; i < 100 && s[0].ended[DX_LEASE_EXPIRED] == 0; i++)
        dx_loop_step(loop, 50);
    CHECK(s[0].ended[DX_LEASE_EXPIRED] == 1 && s[0].lease.who == NULL &&
          dx_clock_wall_ms() >= now_ms + 60);
    dx_leases_end_if(&leases, is_bob, (void *)(uintptr_t) "nobody");
    CHECK(s[1].lease.of && s[3].lease.of);
    dx_leases_end_if(&leases, is_bob, (void *)(uintptr_t) "bob");
    CHECK(s[1].ended[DX_LEASE_REVOKED] == 1 && s[3].ended[DX_LEASE_REVOKED] == 1);
    CHECK(s[2].ended[0] + s[2].ended[1] == 0 && dx_list_is_empty(&leases.all));
    CHECK_INT(atomic_load(&ada->refs_count), 1);
    dx_leases_deinit(&leases);
    dx_loop_free(loop);
    dx_principal_unref(ada);
    dx_principal_unref(bob);
}
