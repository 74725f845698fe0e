/* A YAML file as a tree that knows its places.
 * Is:     one document of mappings, lists and scalars, each with its line and column.
 * Is not: anchors, aliases and tags (refused: nobody needs them here, and they hide what a file says);
 *         what a scalar means (value.h), which keys there are (config.h).
 * Memory: one arena, freed whole; every text ends with NUL and holds none.
 * Threads: any, one at a time.
 * Source: YAML 1.1, by libyaml.
 * SPDX-License-Identifier: MIT */
#ifndef DX_CLI_YAML_TREE_H
#define DX_CLI_YAML_TREE_H

#include "base/arena.h"

enum { DX_YAML_BYTES_MAX = 1 << 20, DX_YAML_NODES_MAX = 10000, DX_YAML_DEPTH_MAX = 8 };

typedef enum dx_yaml_kind { DX_YAML_SCALAR, DX_YAML_LIST, DX_YAML_MAP } dx_yaml_kind;

typedef struct dx_yaml_node dx_yaml_node;
struct dx_yaml_node {
    dx_yaml_kind kind;
    uint32_t line, column; /* from 1 */
    const char *text;      /* of a scalar; "" for an empty one */
    dx_yaml_node *key;     /* of what stands in a mapping: a scalar */
    dx_yaml_node *first;   /* what stands in a list or a mapping, in order */
    dx_yaml_node *next;
};

typedef struct dx_yaml {
    dx_arena arena;
    dx_yaml_node *root; /* NULL: the file is empty */
    /* What is wrong, if reading failed: */
    uint32_t line, column;
    char why[200];
} dx_yaml;

/* Reads all of `text` (borrowed). ret: deinit it in any case. False: ret->why says what is wrong. */
DX_MUST_USE bool dx_yaml_read(dx_bytes text, dx_yaml *ret);
void dx_yaml_deinit(dx_yaml *yaml);

/* What stands at `key` in a mapping (the first, if it stands there twice), or NULL. */
const dx_yaml_node *dx_yaml_find(const dx_yaml_node *map, const char *key);

#endif
