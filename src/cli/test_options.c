/* The command line by table: what is taken, what is refused with which words, what help says.
 * SPDX-License-Identifier: MIT */
#include "cli/commands.h"
#include "tests/tap.h"

#include <fcntl.h>
#include <unistd.h>

/* A command of every kind of option and argument. */
typedef struct toy {
    bool flag;
    const char *text, *choice, *first, *second;
    dx_cli_texts texts;
    uint64_t number;
} toy;

static const char *const choices[] = {"red", "green", NULL};
static const dx_cli_option toy_options[] = {
    {.name = "flag", .help = "a flag", .kind = DX_CLI_FLAG, .at = offsetof(toy, flag)},
    {.name = "text",
     .value = "TEXT",
     .help = "a text",
     .kind = DX_CLI_TEXT,
     .at = offsetof(toy, text)},
    {.name = "choice",
     .value = "COLOUR",
     .help = "one of two,\nand no other",
     .kind = DX_CLI_TEXT,
     .at = offsetof(toy, choice),
     .off = "green",
     .choices = choices},
    {.name = "texts",
     .value = "T",
     .help = "many",
     .kind = DX_CLI_TEXTS,
     .at = offsetof(toy, texts)},
    {.name = "number",
     .value = "N",
     .help = "from 5 to 500",
     .kind = DX_CLI_NUMBER,
     .at = offsetof(toy, number),
     .min = 5,
     .max = 500},
};
static const dx_cli_argument toy_arguments[] = {
    {"FIRST", "what comes first", offsetof(toy, first), false},
    {"SECOND", "what may follow", offsetof(toy, second), true},
};
static const toy toy_defaults = {.choice = "red", .number = 7};
static const dx_cli_command toy_command = {
    .name = "toy",
    .summary = "plays",
    .about = "Plays.",
    .options = toy_options,
    .options_count = DX_COUNT(toy_options),
    .arguments = toy_arguments,
    .arguments_count = DX_COUNT(toy_arguments),
    .defaults = &toy_defaults,
    .struct_bytes = sizeof(toy),
    .value_exit = DX_EXIT_USAGE,
};

enum { WORDS_MAX = 40 };

/* Parses the words of `line`, which are separated by one blank; "_" stands for an empty one. */
static dx_cli_outcome parse(const char *line, toy *ret, char why[DX_CLI_WHY_BYTES])
{
    static char memory[1024];
    char *words[WORDS_MAX];
    int count = 0;

    snprintf(memory, sizeof memory, "%s", line);
    for (char *word = strtok(memory, " "); word && count < WORDS_MAX; word = strtok(NULL, " "))
        words[count++] = strcmp(word, "_") == 0 ? word + 1 : word;
    *ret = toy_defaults;
    why[0] = '\0';
    return dx_cli_parse(&toy_command, (dx_cli_words){count, words}, ret, why);
}

static bool same(const char *got, const char *want)
{
    return got == want || (got && want && strcmp(got, want) == 0);
}

TEST("what is taken, by every way to write it")
{
    static const struct {
        const char *line;
        toy want;
    } rows[] = {
        {"one", {.first = "one", .choice = "red", .number = 7}},
        {"one two", {.first = "one", .second = "two", .choice = "red", .number = 7}},
        {"--flag one", {.flag = true, .first = "one", .choice = "red", .number = 7}},
        {"one --flag", {.flag = true, .first = "one", .choice = "red", .number = 7}},
        {"--text abc one", {.text = "abc", .first = "one", .choice = "red", .number = 7}},
        {"--text=abc one", {.text = "abc", .first = "one", .choice = "red", .number = 7}},
        {"--text=a=b one", {.text = "a=b", .first = "one", .choice = "red", .number = 7}},
        {"--text -1 one", {.text = "-1", .first = "one", .choice = "red", .number = 7}},
        {"--text --flag one", {.text = "--flag", .first = "one", .choice = "red", .number = 7}},
        {"--text a --text b one", {.text = "b", .first = "one", .choice = "red", .number = 7}},
        {"--choice green one", {.choice = "green", .first = "one", .number = 7}},
        {"--no-choice one", {.choice = "green", .first = "one", .number = 7}},
        {"--number 5 one", {.number = 5, .first = "one", .choice = "red"}},
        {"--number=500 one", {.number = 500, .first = "one", .choice = "red"}},
        {"--number 007 one", {.number = 7, .first = "one", .choice = "red"}},
        {"one -- --flag", {.first = "one", .second = "--flag", .choice = "red", .number = 7}},
        {"-- one two", {.first = "one", .second = "two", .choice = "red", .number = 7}},
        {"one -", {.first = "one", .second = "-", .choice = "red", .number = 7}},
        {"one _", {.first = "one", .second = "", .choice = "red", .number = 7}},
        {"one -- -h", {.first = "one", .second = "-h", .choice = "red", .number = 7}},
    };
    char why[DX_CLI_WHY_BYTES];
    toy got;

    for (size_t i = 0; i < DX_COUNT(rows); i++) {
        const toy *want = &rows[i].want;
        dx_cli_outcome outcome = parse(rows[i].line, &got, why);
        if (outcome != DX_CLI_OK || got.flag != want->flag || !same(got.text, want->text) ||
            !same(got.choice, want->choice) || !same(got.first, want->first) ||
            !same(got.second, want->second) || got.number != want->number)
            TAP_FAIL("%s: outcome %d, %s", rows[i].line, outcome, why);
    }
}

TEST("an option that may be given again keeps all its values, up to sixteen")
{
    char why[DX_CLI_WHY_BYTES], line[256] = "one";
    toy got;

    CHECK_INT(parse("--texts a one --texts=b --texts c", &got, why), DX_CLI_OK);
    CHECK_INT(got.texts.count, 3);
    CHECK(same(got.texts.at[0], "a") && same(got.texts.at[1], "b") && same(got.texts.at[2], "c"));
    for (int i = 0; i < DX_CLI_TEXTS_MAX; i++)
        strcat(line, " --texts=x");
    CHECK_INT(parse(line, &got, why), DX_CLI_OK);
    strcat(line, " --texts=x");
    CHECK_INT(parse(line, &got, why), DX_CLI_VALUE);
    CHECK(strstr(why, "at most 16") != NULL);
}

TEST("what is refused says what was wrong and what is allowed")
{
    static const struct {
        const char *line;
        dx_cli_outcome outcome;
        const char *why;
    } rows[] = {
        {"", DX_CLI_USAGE, "FIRST is missing: what comes first"},
        {"--flag", DX_CLI_USAGE, "FIRST is missing: what comes first"},
        {"one two three", DX_CLI_USAGE, "\"three\" is one argument too many"},
        {"one --nonsense", DX_CLI_USAGE,
         "unknown option --nonsense; allowed: --flag, --text, --[no-]choice, --texts, --number, --help"},
        {"one --fla", DX_CLI_USAGE,
         "unknown option --fla; allowed: --flag, --text, --[no-]choice, --texts, --number, --help"},
        {"one -f", DX_CLI_USAGE,
         "unknown option -f; allowed: --flag, --text, --[no-]choice, --texts, --number, --help"},
        {"one -1flag", DX_CLI_USAGE,
         "unknown option -1flag; allowed: --flag, --text, --[no-]choice, --texts, --number, --help"},
        {"one --=x", DX_CLI_USAGE,
         "unknown option --=x; allowed: --flag, --text, --[no-]choice, --texts, --number, --help"},
        {"one --flag=yes", DX_CLI_USAGE, "--flag takes no value"},
        {"one --no-choice=red", DX_CLI_USAGE, "--no-choice takes no value"},
        {"one --no-text", DX_CLI_USAGE,
         "unknown option --no-text; allowed: --flag, --text, --[no-]choice, --texts, --number, --help"},
        {"one --text", DX_CLI_USAGE, "--text needs a value: --text TEXT"},
        {"one --number", DX_CLI_USAGE, "--number needs a value: --number N"},
        {"one --text=", DX_CLI_VALUE, "--text: the value is empty, give TEXT"},
        {"one --text _", DX_CLI_VALUE, "--text: the value is empty, give TEXT"},
        {"one --texts _", DX_CLI_VALUE, "--texts: the value is empty, give T"},
        {"one --choice blue", DX_CLI_VALUE, "--choice: \"blue\" is none of red, green"},
        {"one --choice re", DX_CLI_VALUE, "--choice: \"re\" is none of red, green"},
        {"one --number 4", DX_CLI_VALUE, "--number: \"4\" is not a number from 5 to 500"},
        {"one --number 501", DX_CLI_VALUE, "--number: \"501\" is not a number from 5 to 500"},
        {"one --number -5", DX_CLI_VALUE, "--number: \"-5\" is not a number from 5 to 500"},
        {"one --number 0x10", DX_CLI_VALUE, "--number: \"0x10\" is not a number from 5 to 500"},
        {"one --number 5k", DX_CLI_VALUE, "--number: \"5k\" is not a number from 5 to 500"},
        {"one --number _", DX_CLI_VALUE, "--number: \"\" is not a number from 5 to 500"},
        {"one --number 18446744073709551621", DX_CLI_VALUE,
         "--number: \"18446744073709551621\" is not a number from 5 to 500"},
        {"--help", DX_CLI_HELP, ""},
        {"-h", DX_CLI_HELP, ""},
        {"one two --help", DX_CLI_HELP, ""},
        {"--number 4 --help", DX_CLI_VALUE, "--number: \"4\" is not a number from 5 to 500"},
    };
    char why[DX_CLI_WHY_BYTES];
    toy got;

    for (size_t i = 0; i < DX_COUNT(rows); i++) {
        dx_cli_outcome outcome = parse(rows[i].line, &got, why);
        if (outcome != rows[i].outcome || strcmp(why, rows[i].why) != 0)
            TAP_FAIL("%s: outcome %d, %s", rows[i].line, outcome, why);
    }
}

TEST("words of any length stay inside the line that complains")
{
    char word[4096], why[DX_CLI_WHY_BYTES];
    char *words[] = {word};
    toy got = toy_defaults;

    memset(word, 'x', sizeof word - 1);
    word[0] = word[1] = '-';
    word[sizeof word - 1] = '\0';
    CHECK_INT(dx_cli_parse(&toy_command, (dx_cli_words){1, words}, &got, why), DX_CLI_USAGE);
    CHECK(strlen(why) < sizeof why);
    memcpy(word, "--number=", 9);
    CHECK_INT(dx_cli_parse(&toy_command, (dx_cli_words){1, words}, &got, why), DX_CLI_VALUE);
    CHECK(strlen(why) < sizeof why);
}

/* ---- the commands there are ------------------------------------------------------------------- */

/* What `write` puts on a stream. */
static char *help_of(const dx_cli_command *command)
{
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);

    dx_cli_help_write(command, to);
    fclose(to);
    return text;
}

TEST("help comes from the table: every option, every argument, aligned")
{
    char *text = help_of(&toy_command);

    CHECK_MEM(text, strlen(text),
              "Usage: duplex toy [OPTIONS] FIRST [SECOND]\n"
              "\n"
              "Plays.\n"
              "\n"
              "Arguments:\n"
              "  FIRST                 what comes first\n"
              "  SECOND                what may follow\n"
              "\n"
              "Options:\n"
              "  --flag                a flag\n"
              "  --text TEXT           a text\n"
              "  --[no-]choice COLOUR  one of two,\n"
              "                        and no other\n"
              "  --texts T             many\n"
              "  --number N            from 5 to 500\n"
              "  --help                this\n",
              strlen("Usage: duplex toy [OPTIONS] FIRST [SECOND]\n\nPlays.\n\nArguments:\n"
                     "  FIRST                 what comes first\n  SECOND                what may follow\n\n"
                     "Options:\n  --flag                a flag\n  --text TEXT           a text\n"
                     "  --[no-]choice COLOUR  one of two,\n                        and no other\n"
                     "  --texts T             many\n  --number N            from 5 to 500\n"
                     "  --help                this\n"));
    free(text);
}

static bool is_narrow(const char *text)
{
    size_t width = 0;

    for (; *text; text++) {
        width = *text == '\n' ? 0 : width + ((*text & 0xc0) != 0x80);
        if (width > 110)
            return false;
    }
    return true;
}

TEST("every command has a sound table, and help that names all of it")
{
    for (size_t c = 0; dx_cli_commands[c]; c++) {
        const dx_cli_command *command = dx_cli_commands[c];
        char *text = help_of(command);
        CHECK(dx_cli_command_find(command->name) == command);
        CHECK(command->struct_bytes <= DX_CLI_STRUCT_BYTES_MAX && command->defaults &&
              command->run);
        CHECK(is_narrow(text));
        for (size_t i = 0; i < command->options_count; i++) {
            const dx_cli_option *o = &command->options[i];
            CHECK((o->kind == DX_CLI_FLAG || o->kind == DX_CLI_SWITCH) == (o->value == NULL));
            CHECK((o->kind != DX_CLI_NUMBER && o->kind != DX_CLI_SIZE &&
                   o->kind != DX_CLI_DURATION) ||
                  o->max > o->min);
            CHECK(o->at < command->struct_bytes);
            CHECK(strstr(text, o->name) && strstr(text, o->help) == NULL
                      ? strchr(o->help, '\n') != NULL
                      : true);
        }
        for (size_t i = 0; i < command->arguments_count; i++)
            CHECK(strstr(text, command->arguments[i].name) != NULL);
        free(text);
    }
}

/* The exit code of `duplex` with these words; what it says goes nowhere. */
static int run_main(const char *line)
{
    char memory[512];
    char *words[WORDS_MAX] = {(char *)"duplex"};
    int count = 1, out = dup(STDOUT_FILENO), err = dup(STDERR_FILENO);
    int nowhere = open("/dev/null", O_WRONLY);

    snprintf(memory, sizeof memory, "%s", line);
    for (char *word = strtok(memory, " "); word && count < WORDS_MAX; word = strtok(NULL, " "))
        words[count++] = word;
    fflush(stdout);
    dup2(nowhere, STDOUT_FILENO);
    dup2(nowhere, STDERR_FILENO);
    int code = dx_cli_main(count, words);
    fflush(stdout);
    dup2(out, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    close(nowhere), close(out), close(err);
    return code;
}

TEST("exit codes: 0 is well, 1 failed, 2 is usage, 78 is configuration")
{
    static const struct {
        const char *line;
        int code;
    } rows[] = {
        {"--help", 0},
        {"help", 0},
        {"help serve", 0},
        {"serve --help", 0},
        {"pub -h", 0},
        {"version", 0},
        {"--version", 0},
        {"", 2},
        {"nonsense", 2},
        {"help nonsense", 2},
        {"version please", 2},
        {"serve --nonsense", 2},
        {"serve --listen", 2},
        {"serve here", 2},
        {"serve --listen nowhere", 78},
        {"serve --listen 127.0.0.1:99999", 78},
        {"serve --loop kqueue", 78},
        {"serve --log-level loud", 78},
        {"serve --workers 0", 78},
        {"serve --workers many", 78},
        {"serve --message-max 0", 78},
        {"serve --web /nonexistent/directory --listen 127.0.0.1:0", 78},
        {"pub", 2},
        {"pub not-a-url hello", 2},
        {"pub ftp://127.0.0.1/ hello", 2},
        {"pub http://127.0.0.1:1/x one two", 2},
        {"pub http://127.0.0.1:1/x one --lines", 2},
        {"pub http://127.0.0.1:1/x one", 1},
        {"pub https://127.0.0.1:1/x one", 1},
        {"sub", 2},
        {"sub ws://127.0.0.1:1/x --count 0", 2},
        {"sub ws://127.0.0.1:1/x --count many", 2},
        {"sub ws://127.0.0.1:1/x?offset=now --offset -1", 2},
        {"sub ws://127.0.0.1:1/x#y", 2},
        {"sub wss://127.0.0.1:1/x", 1},
        {"sub ws://127.0.0.1:1/x", 1},
    };

    for (size_t i = 0; i < DX_COUNT(rows); i++) {
        int code = run_main(rows[i].line);
        if (code != rows[i].code)
            TAP_FAIL("duplex %s: exit code %d, expected %d", rows[i].line, code, rows[i].code);
    }
}
