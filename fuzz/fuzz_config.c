/* The configuration's file: it is good, or there is a line that says what is wrong and where; what is written
 * of a good one is good, and means the same.
 * Input: the file.
 * SPDX-License-Identifier: MIT */
#include "cli/config.h"
#include "fuzz/fuzz.h"

#include <string.h>

/* Without comments: they name the file's lines, which are others in what was written. */
static char *written(const dx_config *c)
{
    char *text = NULL, *to;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);
    bool is_quoted = false, is_comment = false;

    FUZZ_CHECK(memory != NULL);
    dx_config_write(c, memory);
    fclose(memory);
    to = text;
    for (const char *at = text; *at; at++) {
        if (*at == '\\' && is_quoted && at[1]) {
            *to++ = *at++;
        } else {
            is_quoted = (*at == '"' && !is_comment) ? !is_quoted : is_quoted;
            is_comment = *at != '\n' && (is_comment || (*at == '#' && !is_quoted));
        }
        if (!is_comment)
            *to++ = *at;
    }
    *to = '\0';
    return text;
}

/* "f:LINE:COLUMN: text", or without a place; no control bytes. */
static void problems_check(const dx_config *c)
{
    dx_bytes rest = dx_buffer_view(&c->problems), line;
    size_t lines = 0;

    FUZZ_CHECK(c->problems_count > 0);
    while (dx_bytes_split(&rest, '\n', &line) && rest.at != NULL) {
        for (size_t i = 0; i < line.size; i++)
            FUZZ_CHECK(line.at[i] >= ' ' && line.at[i] != 0x7f);
        FUZZ_CHECK(dx_bytes_find(line, ':') < line.size);
        lines++;
    }
    FUZZ_CHECK(lines > 0 && lines <= 20);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dx_bytes in = fuzz_copy(dx_bytes_at(data, size));
    dx_config first, second;

    dx_config_init(&first);
    bool ok = dx_config_read(&first, "f", in);
    ok = dx_config_finish(&first, &dx_settings_defaults) && ok;
    fuzz_free(in);
    if (ok) {
        char *text = written(&first);
        dx_config_init(&second);
        FUZZ_CHECK(dx_config_read(&second, "f", dx_bytes_of(text)));
        FUZZ_CHECK(dx_config_finish(&second, &dx_settings_defaults));
        char *again = written(&second);
        FUZZ_CHECK(strcmp(text, again) == 0);
        free(text);
        free(again);
        dx_config_deinit(&second);
    } else {
        problems_check(&first);
    }
    dx_config_deinit(&first);
    return 0;
}
