/* duplex backup, duplex verify: a data directory, also while a server has it.
 * SPDX-License-Identifier: MIT */
#include "base/err.h"
#include "cli/commands.h"
#include "store/inspect.h"

#include <inttypes.h>
#include <unistd.h>

static int fail(const char *command, dx_err err, const char *why)
{
    dx_cli_say(command, "%s", why[0] ? why : dx_err_text(err));
    return DX_EXIT_FAILURE;
}

/* ---- backup ----------------------------------------------------------------------------------- */

typedef struct backup_options {
    const char *directory, *file;
} backup_options;

static bool show_progress(void *context, uint64_t done, uint64_t all)
{
    (void)context;
    fprintf(stderr, "\r%" PRIu64 " of %" PRIu64 " pages", done, all);
    return true;
}

static int run_backup(const void *options)
{
    const backup_options *o = options;
    char why[DX_STORE_WHY_BYTES] = "";
    bool is_seen = isatty(STDERR_FILENO);
    dx_err err =
        dx_store_sqlite_backup(o->directory, o->file, is_seen ? show_progress : NULL, NULL, why);

    if (is_seen)
        fputc('\n', stderr);
    if (err != DX_OK)
        return fail("backup", err, why);
    printf("%s: written\n", o->file);
    return DX_EXIT_OK;
}

static const backup_options backup_defaults = {0};
static const dx_cli_argument backup_arguments[] = {
    {"DIR", "the data directory", offsetof(backup_options, directory), false},
    {"FILE", "the copy; it must not exist", offsetof(backup_options, file), false},
};

const dx_cli_command dx_cli_backup = {
    .name = "backup",
    .summary = "copies a data directory into one file",
    .about =
        "Copies what DIR holds as of this moment, also while duplex serve has it. FILE is there as a\n"
        "whole and synced, or not at all. To restore, put it into an empty directory as\n"
        "duplex.db.",
    .arguments = backup_arguments,
    .arguments_count = DX_COUNT(backup_arguments),
    .defaults = &backup_defaults,
    .struct_bytes = sizeof backup_defaults,
    .value_exit = DX_EXIT_USAGE,
    .run = run_backup,
};

/* ---- verify ----------------------------------------------------------------------------------- */

typedef struct verify_options {
    const char *directory;
} verify_options;

static void print_fault(void *context, const char *sentence)
{
    (void)context;
    fprintf(stderr, "%s\n", sentence);
}

static int run_verify(const void *options)
{
    const verify_options *o = options;
    char why[DX_STORE_WHY_BYTES] = "";
    dx_store_report report = {0};
    dx_err err = dx_store_sqlite_verify(o->directory, print_fault, NULL, &report, why);

    if (err != DX_OK)
        return fail("verify", err, why);
    printf("%s: %" PRIu64 " streams, %" PRIu64 " messages, %" PRIu64 " bytes, %" PRIu64 " faults\n",
           o->directory, report.streams, report.messages, report.payload_bytes, report.faults);
    return report.faults ? DX_EXIT_FAILURE : DX_EXIT_OK;
}

static const verify_options verify_defaults = {0};
static const dx_cli_argument verify_arguments[] = {
    {"DIR", "the data directory", offsetof(verify_options, directory), false},
};

const dx_cli_command dx_cli_verify = {
    .name = "verify",
    .summary = "checks every byte of a data directory",
    .about =
        "Reads all that DIR holds, also while duplex serve has it: the checksums of pages and\n"
        "messages, the database's structure, messages in a row. Ends with 0 if there is no fault,\n"
        "else with 1 and a line for each on stderr.",
    .arguments = verify_arguments,
    .arguments_count = DX_COUNT(verify_arguments),
    .defaults = &verify_defaults,
    .struct_bytes = sizeof verify_defaults,
    .value_exit = DX_EXIT_USAGE,
    .run = run_verify,
};
