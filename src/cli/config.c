/* From a file and variables to settings.
 * SPDX-License-Identifier: MIT */
#include "cli/config.h"

#include "base/assert.h"
#include "cli/value.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <unistd.h>

enum { PROBLEMS_MAX = 20, PROBLEM_BYTES = 1024, READ_BYTES = 65536 };

/* A mapping of the file: its rows, and what they fill. */
typedef struct table {
    const dx_cli_option *options;
    size_t count;
    void *to;
    dx_config_source *sources; /* NULL: `lines` instead */
    uint32_t *lines;
} table;

void dx_config_init(dx_config *c)
{
    *c = (dx_config){.settings = dx_settings_defaults};
}

void dx_config_deinit(dx_config *c)
{
    dx_yaml_deinit(&c->yaml);
    dx_arena_deinit(&c->arena);
    dx_buffer_clear(&c->problems);
}

/* ---- problems --------------------------------------------------------------------------------- */

static void add_problem(dx_config *c, char *line, int size)
{
    size_t used = dx_min_size((size_t)size, PROBLEM_BYTES - 2);

    for (size_t i = 0; i < used; i++) /* what a file holds must not steer a terminal */
        if ((uint8_t)line[i] < ' ' || line[i] == 0x7f)
            line[i] = '?';
    line[used++] = '\n';
    if (++c->problems_count <= PROBLEMS_MAX &&
        !dx_buffer_append(&c->problems, dx_bytes_at(line, used)))
        dx_buffer_clear(&c->problems);
}

static void problem_at(dx_config *c, uint32_t line, uint32_t column, const char *text)
{
    char all[PROBLEM_BYTES];

    add_problem(c, all, snprintf(all, sizeof all, "%.200s:%u:%u: %s", c->file, line, column, text));
}

static void problem(dx_config *c, const dx_yaml_node *at, const char *format, ...) DX_PRINTF(3, 4);

static void problem(dx_config *c, const dx_yaml_node *at, const char *format, ...)
{
    char text[PROBLEM_BYTES];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    problem_at(c, at->line, at->column, text);
}

/* Without a place in the file. */
static void problem_of(dx_config *c, const char *what, const char *why)
{
    char all[PROBLEM_BYTES];

    add_problem(c, all, snprintf(all, sizeof all, "%.200s: %s", what, why));
}

/* ---- the file --------------------------------------------------------------------------------- */

static bool is_in_group(const dx_cli_option *o, const char *group)
{
    return group == NULL ? o->group == NULL : o->group != NULL && strcmp(o->group, group) == 0;
}

static const dx_cli_option *find_option(const table *t, const char *group, const char *key)
{
    char name[DX_SETTINGS_NAME_BYTES];

    for (size_t i = 0; i < t->count; i++) {
        dx_settings_key(&t->options[i], name);
        if (!t->options[i].is_local && is_in_group(&t->options[i], group) && strcmp(name, key) == 0)
            return &t->options[i];
    }
    return NULL;
}

static bool is_group(const table *t, const char *key)
{
    for (size_t i = 0; i < t->count; i++)
        if (t->options[i].group && strcmp(t->options[i].group, key) == 0)
            return true;
    return false;
}

/* "listen, workers, …": groups once, by their own names. */
static void list_keys(const table *t, const char *group, char text[DX_CLI_WHY_BYTES])
{
    char name[DX_SETTINGS_NAME_BYTES];
    const char *last_group = "";
    size_t size = 0;

    text[0] = '\0';
    for (size_t i = 0; i < t->count && size < DX_CLI_WHY_BYTES - 1; i++) {
        const dx_cli_option *o = &t->options[i];
        bool is_other_group = group == NULL && o->group != NULL;
        if (o->is_local ||
            (is_other_group ? strcmp(last_group, o->group) == 0 : !is_in_group(o, group)))
            continue;
        dx_settings_key(o, name);
        last_group = o->group ? o->group : "";
        size += (size_t)snprintf(text + size, DX_CLI_WHY_BYTES - size, "%s%s", size > 0 ? ", " : "",
                                 is_other_group ? o->group : name);
    }
}

static const char *kind_text(dx_yaml_kind kind)
{
    switch (kind) {
    case DX_YAML_SCALAR: return "a value";
    case DX_YAML_LIST: return "a list";
    case DX_YAML_MAP: return "a mapping";
    }
    dx_unreachable("dx_yaml_kind outside its enum");
}

static void read_one(dx_config *c, const table *t, const dx_cli_option *o, const dx_yaml_node *node)
{
    char why[DX_CLI_WHY_BYTES], key[DX_SETTINGS_NAME_BYTES];

    dx_settings_key(o, key);
    if (node->kind != DX_YAML_SCALAR)
        problem(c, node, "%s: there must be a value, not %s", key, kind_text(node->kind));
    else if (!dx_cli_value_read(o, node->text, t->to, why))
        problem(c, node, "%s: %s", key, why);
}

static void read_option(dx_config *c, const table *t, const dx_cli_option *o,
                        const dx_yaml_node *node)
{
    size_t index = (size_t)(o - t->options);

    if (t->sources)
        t->sources[index] = (dx_config_source){DX_FROM_FILE, node->key->line};
    else
        t->lines[index] = node->key->line;
    if (o->kind == DX_CLI_TEXTS)
        ((dx_cli_texts *)(void *)((uint8_t *)t->to + o->at))->count = 0;
    if (o->kind != DX_CLI_TEXTS || node->kind != DX_YAML_LIST) {
        read_one(c, t, o, node);
        return;
    }
    for (const dx_yaml_node *n = node->first; n; n = n->next)
        read_one(c, t, o, n);
}

static bool is_repeated(dx_config *c, const dx_yaml_node *map, const dx_yaml_node *node)
{
    const dx_yaml_node *first = dx_yaml_find(map, node->key->text);

    if (first == node)
        return false;
    problem(c, node->key, "%.64s: it stands in line %u already", node->key->text, first->key->line);
    return true;
}

static void unknown_key(dx_config *c, const table *t, const char *group, const dx_yaml_node *key)
{
    char allowed[DX_CLI_WHY_BYTES];
    bool is_top = t->sources != NULL && group == NULL;

    list_keys(t, group, allowed);
    problem(c, key, "unknown key \"%.64s\"; allowed: %s%s", key->text, allowed,
            is_top ? ", namespaces" : "");
}

static void read_map(dx_config *c, const table *t, const char *group, const dx_yaml_node *map);

static void read_key(dx_config *c, const table *t, const char *group, const dx_yaml_node *node)
{
    const char *key = node->key->text;
    const dx_cli_option *o = find_option(t, group, key);

    if (o != NULL)
        read_option(c, t, o, node);
    else if (group != NULL || !is_group(t, key))
        unknown_key(c, t, group, node->key);
    else if (node->kind != DX_YAML_MAP)
        problem(c, node, "%s: there must be a mapping, not %s", key, kind_text(node->kind));
    else
        read_map(c, t, key, node);
}

static void read_namespaces(dx_config *c, const dx_yaml_node *node);

static void read_map(dx_config *c, const table *t, const char *group, const dx_yaml_node *map)
{
    bool is_top = t->sources != NULL && group == NULL;

    for (const dx_yaml_node *n = map->first; n; n = n->next) {
        if (is_repeated(c, map, n))
            continue;
        if (is_top && strcmp(n->key->text, "namespaces") == 0)
            read_namespaces(c, n);
        else
            read_key(c, t, group, n);
    }
}

/* ---- namespaces ------------------------------------------------------------------------------- */

/* "sub" is the owner, and there must be one. */
static void check_owner(dx_config *c, const dx_namespace_settings *ns, const dx_yaml_node *map)
{
    const dx_yaml_node *access = dx_yaml_find(map, "access");

    if (strstr(ns->prefix, "{sub}") || access == NULL || access->kind != DX_YAML_MAP)
        return;
    for (const dx_yaml_node *n = access->first; n; n = n->next)
        if (n->kind == DX_YAML_SCALAR && strcmp(n->text, "sub") == 0)
            problem(c, n, "%.64s: sub needs {sub} in the prefix, such as /u/{sub}/", n->key->text);
}

static void check_namespace(dx_config *c, const dx_namespace_settings *all, size_t index,
                            const dx_yaml_node *map)
{
    const dx_namespace_settings *ns = &all[index];
    const dx_yaml_node *at = dx_yaml_find(map, "prefix");

    if (at == NULL)
        problem(c, map, "prefix is missing: it says which streams this is about");
    if (ns->prefix == NULL)
        return;
    for (size_t i = 0; i < index; i++)
        if (all[i].prefix && strcmp(all[i].prefix, ns->prefix) == 0)
            problem(c, at, "prefix: %.64s stands in line %u already", ns->prefix, all[i].line);
    check_owner(c, ns, map);
}

static void read_namespace(dx_config *c, dx_namespace_settings *all, size_t index,
                           const dx_yaml_node *map)
{
    dx_namespace_settings *ns = &all[index];
    table t = {dx_namespace_options, DX_NAMESPACE_COUNT, ns, NULL, ns->lines};

    *ns = dx_namespace_defaults;
    ns->line = map->line;
    if (map->kind != DX_YAML_MAP) {
        problem(c, map, "namespaces: there must be a mapping that begins with prefix, not %s",
                kind_text(map->kind));
        return;
    }
    read_map(c, &t, NULL, map);
    check_namespace(c, all, index, map);
}

static void read_namespaces(dx_config *c, const dx_yaml_node *node)
{
    dx_namespace_settings *all = dx_arena_take(&c->arena, DX_NAMESPACES_MAX * sizeof *all);
    size_t count = 0;

    if (all == NULL || node->kind != DX_YAML_LIST) {
        problem(c, node, "namespaces: %s",
                all ? "there must be a list of mappings, each beginning with \"- prefix:\""
                    : "out of memory");
        return;
    }
    for (const dx_yaml_node *n = node->first; n; n = n->next) {
        if (count == DX_NAMESPACES_MAX) {
            problem(c, n, "namespaces: at most %d of them are taken", DX_NAMESPACES_MAX);
            break;
        }
        read_namespace(c, all, count++, n);
    }
    c->settings.namespaces = all;
    c->settings.namespaces_count = count;
}

/* ---- reading ---------------------------------------------------------------------------------- */

bool dx_config_read(dx_config *c, const char *name, dx_bytes text)
{
    table t = {dx_settings_options, DX_SETTINGS_COUNT, &c->settings, c->sources, NULL};

    c->file = name;
    if (!dx_yaml_read(text, &c->yaml)) {
        problem_at(c, c->yaml.line, c->yaml.column, c->yaml.why);
        return false;
    }
    const dx_yaml_node *root = c->yaml.root;
    if (root && root->kind != DX_YAML_MAP)
        problem(c, root, "there must be a mapping such as \"workers: 4\", not %s",
                kind_text(root->kind));
    else if (root)
        read_map(c, &t, NULL, root);
    return c->problems_count == 0;
}

static bool read_all(int fd, dx_buffer *to)
{
    for (;;) {
        if (!dx_buffer_reserve(to, READ_BYTES))
            return errno = ENOMEM, false;
        ssize_t got = read(fd, to->at + to->size, READ_BYTES);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got == 0;
        to->size += (size_t)got;
        if (to->size > DX_YAML_BYTES_MAX)
            return true; /* too much; dx_yaml_read says so */
    }
}

bool dx_config_read_file(dx_config *c, const char *name)
{
    dx_buffer text = {0};
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    bool ok = fd >= 0 && read_all(fd, &text);

    if (!ok)
        problem_of(c, name, strerror(errno));
    else
        ok = dx_config_read(c, name, dx_buffer_view(&text));
    if (fd >= 0)
        close(fd);
    dx_buffer_clear(&text);
    return ok;
}

/* ---- environment ------------------------------------------------------------------------------ */

/* What stands behind "NAME=": NULL if it is not there, or empty, which is the same. */
static const char *variable(char *const *environment, const char *name)
{
    size_t size = strlen(name);

    for (; *environment; environment++)
        if (strncmp(*environment, name, size) == 0 && (*environment)[size] == '=')
            return (*environment)[size + 1] ? *environment + size + 1 : NULL;
    return NULL;
}

/* A copy that lives as long as the config; `size` bytes and NUL. */
static const char *keep(dx_config *c, dx_bytes text)
{
    char *copy = dx_arena_take(&c->arena, text.size + 1);

    if (copy == NULL)
        return "";
    dx_copy(copy, text.at, text.size);
    copy[text.size] = '\0';
    return copy;
}

static void read_variable(dx_config *c, const dx_cli_option *o, const char *name, const char *value)
{
    char why[DX_CLI_WHY_BYTES];
    dx_bytes rest = dx_bytes_of(value), one;

    if (o->kind == DX_CLI_TEXTS)
        ((dx_cli_texts *)(void *)((uint8_t *)&c->settings + o->at))->count = 0;
    while (dx_bytes_split(&rest, o->kind == DX_CLI_TEXTS ? ' ' : '\0', &one))
        if ((one.size > 0 || o->kind != DX_CLI_TEXTS) &&
            !dx_cli_value_read(o, keep(c, one), &c->settings, why))
            problem_of(c, name, why);
}

bool dx_config_read_environment(dx_config *c, char *const *environment)
{
    char name[DX_SETTINGS_NAME_BYTES];
    size_t before = c->problems_count;

    for (size_t i = 0; i < DX_SETTINGS_COUNT; i++) {
        const dx_cli_option *o = &dx_settings_options[i];
        dx_settings_variable(o, name);
        const char *value = variable(environment, name);
        if (o->is_local || value == NULL)
            continue;
        c->sources[i] = (dx_config_source){.from = DX_FROM_ENVIRONMENT};
        read_variable(c, o, name, value);
    }
    return c->problems_count == before;
}

/* ---- all of it -------------------------------------------------------------------------------- */

static bool settle_namespaces(dx_config *c)
{
    size_t bytes = c->settings.namespaces_count * sizeof(dx_namespace_settings);
    dx_namespace_settings *all = dx_arena_take(&c->arena, bytes);

    if (all == NULL) {
        problem_of(c, "namespaces", dx_err_text(DX_ERR_MEMORY));
        return false;
    }
    dx_copy(all, c->settings.namespaces, bytes);
    for (size_t i = 0; i < c->settings.namespaces_count; i++)
        if (all[i].prefix != NULL) /* else it was complained about */
            dx_namespace_settle(&all[i], &c->settings);
    c->settings.namespaces = all;
    return true;
}

bool dx_config_finish(dx_config *c, const dx_settings *flags)
{
    for (size_t i = 0; i < DX_SETTINGS_COUNT; i++)
        if ((flags->given >> i & 1) != 0) {
            dx_cli_value_copy(&dx_settings_options[i], flags, &c->settings);
            c->sources[i] = (dx_config_source){.from = DX_FROM_FLAG};
        }
    if (c->settings.listen.count == 0)
        problem_of(c, "listen", "there must be an address to listen on");
    return settle_namespaces(c) && c->problems_count == 0;
}

/* systemd.exec(5) says where state belongs; of several the first. */
static const char *data_directory(dx_config *c, char *const *environment)
{
    const char *state = variable(environment, "STATE_DIRECTORY");
    dx_bytes rest = dx_bytes_of(state ? state : ""), first;

    return dx_bytes_split(&rest, ':', &first) && first.size > 0 ? keep(c, first) : "duplex-data";
}

bool dx_config_load(dx_config *c, const dx_settings *flags, char *const *environment)
{
    const char *file = flags->config ? flags->config : variable(environment, "DUPLEX_CONFIG");
    bool ok = file == NULL || dx_config_read_file(c, file);

    ok = dx_config_read_environment(c, environment) && ok;
    ok = dx_config_finish(c, flags) && ok;
    if (c->settings.data == NULL)
        c->settings.data = data_directory(c, environment);
    return ok;
}
