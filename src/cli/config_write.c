/* Settings written down, each with where it came from.
 * SPDX-License-Identifier: MIT */
#include "cli/config.h"
#include "cli/value.h"

#include <duplex/duplex.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMN = 44, SOURCE_BYTES = 320 };

static void source_text(const dx_config *c, size_t index, char text[SOURCE_BYTES])
{
    const dx_cli_option *o = &dx_settings_options[index];
    bool is_off =
        o->kind == DX_CLI_SWITCH && !*(const bool *)((const uint8_t *)&c->settings + o->at);

    switch (c->sources[index].from) {
    case DX_FROM_DEFAULT: snprintf(text, SOURCE_BYTES, "default"); return;
    case DX_FROM_FILE:
        snprintf(text, SOURCE_BYTES, "%.250s:%u", c->file, c->sources[index].line);
        return;
    case DX_FROM_ENVIRONMENT: dx_settings_variable(o, text); return;
    case DX_FROM_FLAG: snprintf(text, SOURCE_BYTES, "--%s%s", is_off ? "no-" : "", o->name); return;
    }
}

/* One value: "    key: value     # source". Without one it is a comment. */
static void line_write(const char *indent, const dx_cli_option *o, const void *from,
                       const char *source, FILE *to)
{
    char key[DX_SETTINGS_NAME_BYTES], *value = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&value, &size);

    if (memory == NULL)
        return;
    dx_settings_key(o, key);
    bool has_value = dx_cli_value_write(o, from, memory);
    fclose(memory);
    int width = fprintf(to, "%s%s%s:%s%s", indent, has_value ? "" : "# ", key, size > 0 ? " " : "",
                        value ? value : "");
    free(value);
    for (const char *c = source; *c; c++) /* the name of a file is whatever it is */
        if ((uint8_t)*c < ' ' || *c == 0x7f)
            source = "?";
    fprintf(to, "%*s  # %s\n", width < COLUMN ? COLUMN - width : 0, "", source);
}

static void group_write(const char *group, const char **last, const char *indent, FILE *to)
{
    if (group != NULL && group != *last)
        fprintf(to, "%s%s:\n", indent, group);
    *last = group;
}

static void namespace_write(const dx_config *c, const dx_namespace_settings *ns, FILE *to)
{
    const char *last = NULL;
    char source[SOURCE_BYTES];

    for (size_t i = 0; i < DX_NAMESPACE_COUNT; i++) {
        const dx_cli_option *o = &dx_namespace_options[i];
        snprintf(source, sizeof source, "default");
        if (ns->lines[i] != 0)
            snprintf(source, sizeof source, "%.250s:%u", c->file, ns->lines[i]);
        group_write(o->group, &last, "    ", to);
        line_write(i == 0 ? "  - " : o->group ? "      " : "    ", o, ns, source, to);
    }
}

void dx_config_write(const dx_config *c, FILE *to)
{
    const char *last = NULL;
    char source[SOURCE_BYTES];

    fprintf(to, "# duplex %s\n", dx_version());
    for (size_t i = 0; i < DX_SETTINGS_COUNT; i++) {
        const dx_cli_option *o = &dx_settings_options[i];
        if (o->is_local)
            continue;
        group_write(o->group, &last, "", to);
        source_text(c, i, source);
        line_write(o->group ? "  " : "", o, &c->settings, source, to);
    }
    fprintf(to, "namespaces:\n");
    for (size_t i = 0; i < c->settings.namespaces_count; i++)
        namespace_write(c, &c->settings.namespaces[i], to);
}
