/* duplex export, duplex import: a data directory as lines of JSON.
 * SPDX-License-Identifier: MIT */
#include "base/err.h"
#include "cli/commands.h"
#include "store/transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

static int fail(const char *command, dx_err err, const char *why)
{
    dx_cli_say(command, "%s", why[0] ? why : dx_err_text(err));
    return DX_EXIT_FAILURE;
}

static void say_count(const char *command, const dx_transfer_count *count)
{
    dx_cli_say(command, "%" PRIu64 " streams, %" PRIu64 " messages", count->streams,
               count->messages);
}

/* ---- export ----------------------------------------------------------------------------------- */

typedef struct export_options {
    const char *directory, *pattern, *file;
} export_options;

/* NULL: errno says why. */
static FILE *open_new(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return fd < 0 ? NULL : fdopen(fd, "w");
}

static int run_export(const void *options)
{
    const export_options *o = options;
    char why[DX_STORE_WHY_BYTES] = "";
    dx_transfer_count count = {0};
    FILE *to = o->file ? open_new(o->file) : stdout;

    if (to == NULL) {
        dx_cli_say("export", "%s: %s", o->file, strerror(errno));
        return DX_EXIT_FAILURE;
    }
    dx_err err = dx_store_export(o->directory, o->pattern, to, &count, why);
    if (o->file && fclose(to) != 0 && err == DX_OK) {
        err = DX_ERR_CLOSED;
        snprintf(why, sizeof why, "%s", strerror(errno));
    }
    if (err != DX_OK && o->file)
        unlink(o->file);
    if (err != DX_OK)
        return fail("export", err, why);
    say_count("export", &count);
    return DX_EXIT_OK;
}

static const export_options export_defaults = {0};
static const dx_cli_option export_table[] = {
    {.name = "file",
     .value = "FILE",
     .help = "write there, not to stdout; it must not exist",
     .kind = DX_CLI_TEXT,
     .at = offsetof(export_options, file)},
};
static const dx_cli_argument export_arguments[] = {
    {"DIR", "the data directory", offsetof(export_options, directory), false},
    {"PATTERN", "paths of streams, * for any text; default all", offsetof(export_options, pattern),
     true},
};

const dx_cli_command dx_cli_export = {
    .name = "export",
    .summary = "writes a data directory as lines of JSON",
    .about =
        "Writes the streams that DIR holds as of this moment, with all their messages, also while\n"
        "duplex serve has it: one JSON object a line, to stdout. duplex import reads it. Offsets\n"
        "stay what they are; a fork is written as a stream of its own with its whole history.",
    .options = export_table,
    .options_count = DX_COUNT(export_table),
    .arguments = export_arguments,
    .arguments_count = DX_COUNT(export_arguments),
    .defaults = &export_defaults,
    .struct_bytes = sizeof export_defaults,
    .value_exit = DX_EXIT_USAGE,
    .run = run_export,
};

/* ---- import ----------------------------------------------------------------------------------- */

typedef struct import_options {
    const char *directory, *file;
} import_options;

static int run_import(const void *options)
{
    const import_options *o = options;
    char why[DX_STORE_WHY_BYTES] = "";
    dx_transfer_count count = {0};
    FILE *from = o->file ? fopen(o->file, "re") : stdin;

    if (from == NULL) {
        dx_cli_say("import", "%s: %s", o->file, strerror(errno));
        return DX_EXIT_FAILURE;
    }
    dx_err err = dx_store_import(o->directory, from, &count, why);
    if (o->file)
        fclose(from);
    if (err != DX_OK)
        return fail("import", err, why);
    say_count("import", &count);
    return DX_EXIT_OK;
}

static const import_options import_defaults = {0};
static const dx_cli_argument import_arguments[] = {
    {"DIR", "the data directory; made if missing", offsetof(import_options, directory), false},
    {"FILE", "what duplex export wrote; default stdin", offsetof(import_options, file), true},
};

const dx_cli_command dx_cli_import = {
    .name = "import",
    .summary = "puts what duplex export wrote into a data directory",
    .about =
        "Puts streams into DIR, which no server may have. A stream that is there already is an\n"
        "error, as is a line that cannot be: its number is told, and what stood before it is in\n"
        "DIR then.",
    .arguments = import_arguments,
    .arguments_count = DX_COUNT(import_arguments),
    .defaults = &import_defaults,
    .struct_bytes = sizeof import_defaults,
    .value_exit = DX_EXIT_USAGE,
    .run = run_import,
};
