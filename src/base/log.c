/* Lines for the operator.
 * SPDX-License-Identifier: MIT */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const level_names[] = {
    [DX_LOG_ERROR] = "error",
    [DX_LOG_WARN] = "warn",
    [DX_LOG_INFO] = "info",
    [DX_LOG_DEBUG] = "debug",
};

bool dx_log_level_from_name(const char *name, dx_log_level *ret)
{
    for (size_t i = 0; i < DX_COUNT(level_names); i++)
        if (strcmp(name, level_names[i]) == 0) {
            *ret = (dx_log_level)i;
            return true;
        }
    return false;
}

void dx_log_write(const dx_log *log, dx_log_level level, const char *format, ...)
{
    char line[1024];
    va_list args;

    if (log == NULL || level > log->level)
        return;
    int head = log->line ? 0 : snprintf(line, sizeof line, "%s: ", level_names[level]);
    va_start(args, format);
    vsnprintf(line + head, sizeof line - (size_t)head - 1, format, args);
    va_end(args);
    size_t size = strlen(line);
    for (size_t i = 0; i < size; i++)
        if ((uint8_t)line[i] < ' ' || line[i] == 0x7f)
            line[i] = '?';
    if (log->line) {
        log->line(log->context, level_names[level], line);
        return;
    }
    line[size++] = '\n';
    ssize_t ignored = write(log->fd, line, size); /* a log that cannot be written stops nothing */
    (void)ignored;
}
