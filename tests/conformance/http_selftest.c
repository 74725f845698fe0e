/* Tests the conformance client: it passes a right server, and catches each of the toy's faults.
 * Usage:  http_selftest PATH/http_conformance PATH/http_toy; prints TAP.
 * Is:     one row for each fault, with the case that must fail; the size of the public sets; the
 *         small languages (expectations, dates) on their own.
 * Memory: none kept.   Threads: one; the programs are children, and each is waited for.
 * SPDX-License-Identifier: MIT */
#include "tests/conformance/http_date.h"
#include "tests/conformance/http_expect.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static const char *client_path, *toy_path;
static int number, failed;

static void report(bool ok, const char *what, const char *more)
{
    printf("%s %d - %s %s\n", ok ? "ok" : "not ok", ++number, what, more);
    fflush(stdout);
    failed += !ok;
}

/* ---- children ---- */

typedef struct child {
    pid_t pid;
    int to, from; /* its stdin (-1: none) and stdout */
} child;

static child start(const char *const *argv, bool wants_stdin)
{
    posix_spawn_file_actions_t actions;
    child c = {.to = -1};
    int in[2] = {-1, -1}, out[2];

    if ((wants_stdin && pipe2(in, O_CLOEXEC)) || pipe2(out, O_CLOEXEC))
        abort();
    posix_spawn_file_actions_init(&actions);
    if (wants_stdin)
        posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    if (posix_spawn(&c.pid, argv[0], &actions, NULL, (char *const *)argv, environ)) {
        fprintf(stderr, "cannot start %s\n", argv[0]);
        exit(1);
    }
    posix_spawn_file_actions_destroy(&actions);
    if (wants_stdin)
        close(in[0]);
    close(out[1]);
    c.to = in[1];
    c.from = out[0];
    return c;
}

/* Its exit code; it is asked to end by the end of its stdin. */
static int finish(child *c)
{
    int status = 0;

    if (c->to >= 0)
        close(c->to);
    close(c->from);
    waitpid(c->pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* ---- the client against the toy ---- */

typedef struct trial {
    const char *fault, *mode, *split, *only;
} trial;

/* Runs the client; *ret_name: the name of the last case that failed. Returns its exit code. */
static int run_client(const trial *t, const char *port, char *ret_name, size_t room)
{
    char target[40], line[1024];

    snprintf(target, sizeof target, "127.0.0.1:%s", port);
    const char *argv[] = {client_path, "--target", target,  "--mode",    t->mode, "--split",
                          t->split,    "--only",   t->only, "--timeout", "700",   NULL};
    child c = start(argv, false);
    FILE *out = fdopen(dup(c.from), "r");

    ret_name[0] = 0;
    while (out && fgets(line, sizeof line, out)) {
        char *dash = strstr(line, " - ");
        if (strncmp(line, "not ok", 6) == 0 && dash)
            snprintf(ret_name, room, "%.*s", (int)strcspn(dash + 3, "\n("), dash + 3);
    }
    if (out)
        fclose(out);
    return finish(&c);
}

static int run_trial(const trial *t, char *ret_name, size_t room)
{
    const char *argv[] = {toy_path, "--mode", t->mode, "--fault", t->fault, NULL};
    child toy = start(argv, true);
    char port[16] = "";
    ssize_t size = read(toy.from, port, sizeof port - 1);

    port[size > 0 ? size - 1 : 0] = 0;
    int code = run_client(t, port, ret_name, room);
    finish(&toy);
    return code;
}

static void test_right_server(void)
{
    static const trial right[] = {
        {"none", "echo", "none", ""},       {"none", "echo", "random:5", ""},
        {"none", "echo", "bytes", ""},      {"none", "stream", "none", ""},
        {"none", "stream", "random:5", ""}, {"none", "stream", "bytes", ""},
    };

    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
        char name[256], what[80];
        int code = run_trial(&right[i], name, sizeof name);
        snprintf(what, sizeof what, "a right server passes: %s, split %s", right[i].mode,
                 right[i].split);
        report(code == 0 && !name[0], what, name);
    }
}

static void test_faults(void)
{
    static const trial wrong[] = {
        /* Framing and smuggling. */
        {"length-wins", "echo", "none", "SMUG-CL-TE-BOTH"},
        {"length-wins", "echo", "none", "SMUG-CLTE-SMUGGLED-GET"},
        {"serves-after-fault", "echo", "none", "SMUG-CLTE-SMUGGLED-GET"},
        {"serves-after-fault", "echo", "none", "SMUG-CLTE-CONN-CLOSE"},
        {"serves-after-fault", "echo", "none", "OWN-PIPELINE-AFTER-FAULT"},
        {"serves-after-close", "echo", "none", "OWN-PIPELINE-AFTER-CLOSE"},
        {"close-ignored", "echo", "none", "COMP-CONNECTION-CLOSE"},
        {"unread-body", "echo", "none", "SMUG-HEAD-CL-BODY"},
        {"length-wraps", "echo", "none", "OWN-CL-WRAPS-64"},
        {"chunk-size-loose", "echo", "none", "SMUG-CHUNK-HEX-PREFIX"},
        {"chunk-size-loose", "echo", "none", "SMUG-CHUNK-SIZE-PLUS"},
        {"chunk-end-loose", "echo", "none", "SMUG-CHUNK-SPILL"},
        {"bare-lf", "echo", "none", "RFC9112-2.2-BARE-LF-HEADER"},
        {"obs-fold", "echo", "none", "RFC9112-5.1-OBS-FOLD"},
        {"space-before-colon", "echo", "none", "RFC9110-5.6.2-SP-BEFORE-COLON"},
        /* Answers. */
        {"no-date", "echo", "none", "COMP-DATE-HEADER"},
        {"old-date", "echo", "none", "COMP-DATE-FORMAT"},
        {"lf-answers", "echo", "none", "COMP-BASELINE"},
        {"body-short", "echo", "none", "COMP-BASELINE"},
        {"body-long", "echo", "none", "COMP-BASELINE"},
        {"close-unsaid", "echo", "none", "COMP-BASELINE"},
        {"close-unsaid", "echo", "none", "OWN-CONNECTION-CLOSE-SAID"},
        {"head-body", "echo", "none", "COMP-HEAD-NO-BODY"},
        {"injects", "echo", "none", "MAL-URL-PERCENT-CRLF"},
        {"upgrades-post", "echo", "none", "COMP-UPGRADE-POST"},
        {"trace", "echo", "none", "COMP-METHOD-TRACE"},
        {"100-for-http10", "echo", "none", "COMP-NO-1XX-HTTP10"},
        {"no-allow", "stream", "none", "COMP-405-ALLOW"},
        {"length-in-204", "stream", "none", "COMP-NO-CL-IN-204"},
        {"body-lost", "stream", "none", "COMP-CHUNKED-MULTI"},
        /* Time and division. */
        {"answers-early", "echo", "none", "Fragmented field name"},
        {"no-close", "echo", "none", "COMP-BASELINE"},
        {"no-linger", "echo", "none", "OWN-LINGER-413"},
        {"cr-ends-read", "echo", "bytes", "COMP-BASELINE"},
        {"cr-ends-read", "echo", "random:1", "COMP-POST-CL-BODY"},
    };

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char name[256], what[120];
        const trial *t = &wrong[i];
        int code = run_trial(t, name, sizeof name);
        snprintf(what, sizeof what, "fault %s is caught by", t->fault);
        report(code == 1 && strncmp(name, t->only, strlen(t->only)) == 0, what, t->only);
    }
}

/* ---- the tables ---- */

static size_t count_in_list(const char *list, const char *tier)
{
    size_t count = 0;

    for (const char *at = list; at && *at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL)
        count += strncmp(at, tier, strlen(tier)) == 0;
    return count;
}

static void test_tables(void)
{
    const char *argv[] = {client_path, "--list", NULL};
    child c = start(argv, false);
    static char list[200000];
    size_t size = 0;
    ssize_t got;

    while ((got = read(c.from, list + size, sizeof list - 1 - size)) > 0)
        size += (size_t)got;
    finish(&c);
    report(count_in_list(list, "h1spec\t") == 33, "h1spec has", "33 cases");
    report(count_in_list(list, "MUST\t") == 113, "MUST has", "113 cases");
    report(count_in_list(list, "SHOULD\t") == 29, "SHOULD has", "29 cases");
    report(count_in_list(list, "MAY\t") == 10, "MAY has", "10 cases");
}

/* ---- the small languages ---- */

static void test_expectations(void)
{
    static const struct {
        const char *expect;
        int statuses[4];
        size_t count;
        bool possible, more, complete, may_close, may_stay;
    } rows[] = {
        {"400 !", {400}, 1, true, false, true, true, false},
        {"400 !", {200}, 1, false, false, false, false, false},
        {"400 !", {400, 400}, 2, false, false, false, false, false},
        {"400|501 +", {501}, 1, true, false, true, false, true},
        {"100? 2xx +", {204}, 1, true, false, true, false, true},
        {"100? 2xx +", {100}, 1, true, true, false, false, false},
        {"100? 2xx +", {100, 200}, 2, true, false, true, false, true},
        {"100 2xx +", {200}, 1, false, false, false, false, false},
        {"2xx*3 ?", {200, 201}, 2, true, true, false, false, false},
        {"2xx*3 ?", {200, 201, 299}, 3, true, false, true, true, true},
        {"2xx 2xx + / 2xx !", {200}, 1, true, true, true, true, false},
        {"400 ! / !", {0}, 0, true, true, true, true, false},
        {"!", {200}, 1, false, false, false, false, false},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        dx_probe_fit fit = dx_probe_expect_fit(rows[i].expect, rows[i].statuses, rows[i].count);
        bool ok = fit.possible == rows[i].possible && fit.more == rows[i].more &&
                  fit.complete == rows[i].complete && fit.may_close == rows[i].may_close &&
                  fit.may_stay == rows[i].may_stay;
        report(ok, "expectation", rows[i].expect);
    }
}

static void test_dates(void)
{
    static const struct {
        const char *text;
        bool ok;
        int64_t seconds;
    } rows[] = {
        {"Sun, 06 Nov 1994 08:49:37 GMT", true, 784111777},
        {"Thu, 29 Feb 2024 00:00:00 GMT", true, 1709164800},
        {"Mon, 06 Nov 1994 08:49:37 GMT", false, 0}, /* it was a Sunday */
        {"Sun, 6 Nov 1994 08:49:37 GMT", false, 0},
        {"Sun, 06 Nov 1994 08:49:37 UTC", false, 0},
        {"Sun, 06 nov 1994 08:49:37 GMT", false, 0},
        {"Sun, 06 Nov 1994 24:49:37 GMT", false, 0},
        {"Sunday, 06-Nov-94 08:49:37 GMT", false, 0},
        {"Sun Nov  6 08:49:37 1994", false, 0},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t seconds = 0;
        bool ok =
            dx_probe_date_parse((dx_probe_text){rows[i].text, strlen(rows[i].text)}, &seconds);
        report(ok == rows[i].ok && seconds == rows[i].seconds, "date", rows[i].text);
    }
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: http_selftest PATH/http_conformance PATH/http_toy\n");
        return 2;
    }
    client_path = argv[1];
    toy_path = argv[2];
    test_expectations();
    test_dates();
    test_tables();
    test_faults();
    test_right_server();
    printf("1..%d\n", number);
    return failed > 0;
}
