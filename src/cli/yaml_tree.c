/* From libyaml's events to a tree.
 * SPDX-License-Identifier: MIT */
#include "cli/yaml_tree.h"

#include "base/assert.h"

#include <stdio.h>
#include <yaml.h>

typedef struct reader {
    yaml_parser_t parser;
    yaml_event_t event; /* the one that is looked at */
    dx_yaml *to;
    size_t nodes_count;
} reader;

static bool fail_at(reader *r, yaml_mark_t mark, const char *why)
{
    r->to->line = (uint32_t)mark.line + 1;
    r->to->column = (uint32_t)mark.column + 1;
    snprintf(r->to->why, sizeof r->to->why, "%s", why);
    return false;
}

static bool fail(reader *r, const char *why)
{
    return fail_at(r, r->event.start_mark, why);
}

/* libyaml's own words, and its place: that of the problem where it knows one. */
static bool fail_parser(reader *r)
{
    const yaml_parser_t *p = &r->parser;
    char why[sizeof r->to->why];
    yaml_mark_t mark = p->problem_mark.line || p->problem_mark.column ? p->problem_mark : p->mark;

    if (p->error == YAML_MEMORY_ERROR)
        return fail_at(r, p->mark, "out of memory");
    snprintf(why, sizeof why, "not YAML: %s%s%s", p->problem ? p->problem : "it cannot be read",
             p->context ? " " : "", p->context ? p->context : "");
    return fail_at(r, mark, why);
}

static bool next(reader *r)
{
    yaml_event_delete(&r->event);
    return yaml_parser_parse(&r->parser, &r->event) || fail_parser(r);
}

static dx_yaml_node *node_new(reader *r, dx_yaml_kind kind)
{
    dx_yaml_node *node = NULL;

    if (r->nodes_count++ < DX_YAML_NODES_MAX)
        node = dx_arena_take(&r->to->arena, sizeof *node);
    if (node == NULL) {
        fail(r, "the file is too large: at most 10000 values");
        return NULL;
    }
    *node = (dx_yaml_node){.kind = kind,
                           .line = (uint32_t)r->event.start_mark.line + 1,
                           .column = (uint32_t)r->event.start_mark.column + 1};
    return node;
}

static dx_yaml_node *read_node(reader *r, unsigned depth);

static dx_yaml_node *read_scalar(reader *r)
{
    const yaml_char_t *value = r->event.data.scalar.value;
    size_t size = r->event.data.scalar.length;

    if (r->event.data.scalar.anchor || r->event.data.scalar.tag) {
        fail(r, "anchors (&) and tags (!) are not supported");
        return NULL;
    }
    if (memchr(value, '\0', size) != NULL) {
        fail(r, "a value holds a NUL");
        return NULL;
    }
    dx_yaml_node *node = node_new(r, DX_YAML_SCALAR);
    char *text = node ? dx_arena_take(&r->to->arena, size + 1) : NULL;
    if (text == NULL)
        return NULL;
    memcpy(text, value, size);
    text[size] = '\0';
    node->text = text;
    return node;
}

static dx_yaml_node *read_list(reader *r, unsigned depth)
{
    dx_yaml_node *list = node_new(r, DX_YAML_LIST);
    dx_yaml_node **last = list ? &list->first : NULL;

    while (list && next(r)) {
        if (r->event.type == YAML_SEQUENCE_END_EVENT)
            return list;
        *last = read_node(r, depth + 1);
        if (*last == NULL)
            return NULL;
        last = &(*last)->next;
    }
    return NULL;
}

static dx_yaml_node *read_map(reader *r, unsigned depth)
{
    dx_yaml_node *map = node_new(r, DX_YAML_MAP);
    dx_yaml_node **last = map ? &map->first : NULL;

    while (map && next(r)) {
        if (r->event.type == YAML_MAPPING_END_EVENT)
            return map;
        if (r->event.type != YAML_SCALAR_EVENT) {
            fail(r, "a key is a plain word");
            return NULL;
        }
        dx_yaml_node *key = read_scalar(r);
        if (key == NULL || !next(r) || (*last = read_node(r, depth + 1)) == NULL)
            return NULL;
        (*last)->key = key;
        last = &(*last)->next;
    }
    return NULL;
}

/* The node that begins with the current event; the event is its last one then. NULL: it failed. */
static dx_yaml_node *read_node(reader *r, unsigned depth)
{
    if (depth > DX_YAML_DEPTH_MAX) {
        fail(r, "nested deeper than any key is");
        return NULL;
    }
    if (r->event.type == YAML_SCALAR_EVENT)
        return read_scalar(r);
    if (r->event.type == YAML_SEQUENCE_START_EVENT && !r->event.data.sequence_start.anchor &&
        !r->event.data.sequence_start.tag)
        return read_list(r, depth);
    if (r->event.type == YAML_MAPPING_START_EVENT && !r->event.data.mapping_start.anchor &&
        !r->event.data.mapping_start.tag)
        return read_map(r, depth);
    fail(r, "anchors (&), aliases (*) and tags (!) are not supported");
    return NULL;
}

/* STREAM-START (DOCUMENT-START node DOCUMENT-END)? STREAM-END */
static bool read_stream(reader *r)
{
    if (!next(r) || !next(r)) /* the stream's start and what follows */
        return false;
    if (r->event.type == YAML_STREAM_END_EVENT)
        return true;
    if (!next(r) || (r->to->root = read_node(r, 1)) == NULL || !next(r) || !next(r))
        return false;
    return r->event.type == YAML_STREAM_END_EVENT || fail(r, "one document is enough");
}

bool dx_yaml_read(dx_bytes text, dx_yaml *ret)
{
    reader r = {.to = ret};

    *ret = (dx_yaml){.line = 1, .column = 1, .why = "out of memory"};
    if (text.size > DX_YAML_BYTES_MAX) {
        snprintf(ret->why, sizeof ret->why, "the file is too large: at most %d bytes",
                 DX_YAML_BYTES_MAX);
        return false;
    }
    if (!yaml_parser_initialize(&r.parser))
        return false;
    yaml_parser_set_input_string(&r.parser, text.at ? text.at : (const uint8_t *)"", text.size);
    bool ok = read_stream(&r);
    yaml_event_delete(&r.event);
    yaml_parser_delete(&r.parser);
    if (!ok)
        ret->root = NULL;
    return ok;
}

void dx_yaml_deinit(dx_yaml *yaml)
{
    dx_arena_deinit(&yaml->arena);
    *yaml = (dx_yaml){0};
}

const dx_yaml_node *dx_yaml_find(const dx_yaml_node *map, const char *key)
{
    dx_assert(map->kind == DX_YAML_MAP);
    for (const dx_yaml_node *n = map->first; n; n = n->next)
        if (strcmp(n->key->text, key) == 0)
            return n;
    return NULL;
}
