/* What followers and publishers have in common.
 * SPDX-License-Identifier: MIT */
#include "client/remote.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

dx_err dx_remote_err(unsigned status)
{
    if (status >= 4400 && status <= 4599)
        status -= 4000;
    switch (status) {
    case 400: return DX_ERR_NAME;
    case 401:
    case 403: return DX_ERR_DENIED;
    case 404:
    case 410: return DX_ERR_NOT_FOUND;
    case 409:
    case 412:
    case 415:
    case 422: return DX_ERR_CONFLICT;
    case 413: return DX_ERR_TOO_LARGE;
    default: return DX_ERR_PROTOCOL;
    }
}

bool dx_remote_is_passing(unsigned status)
{
    return status == 0 || status == 408 || status == 425 || status == 429 || status >= 500;
}

bool dx_remote_is_passing_close(uint16_t code)
{
    static const uint16_t codes[] = {1001, 1005, 1006, 1011, 1012, 1013,
                                     1014, 4408, 4410, 4429, 4503};

    for (size_t i = 0; i < DX_COUNT(codes); i++)
        if (codes[i] == code)
            return true;
    return false;
}

void dx_remote_close_text(uint16_t code, dx_bytes reason, char text[DX_REMOTE_WHY_BYTES])
{
    if (code == 1006)
        snprintf(text, DX_REMOTE_WHY_BYTES, "the connection was lost");
    else
        snprintf(text, DX_REMOTE_WHY_BYTES, "the server ended it: %u%s%.*s", code,
                 reason.size > 0 ? " " : "", DX_FORMAT(reason));
}

char *dx_remote_url(const char *url, const char *name, const char *value)
{
    size_t size = strlen(url) + strlen(name) + strlen(value) + 3;
    char *text = malloc(size);

    if (text)
        snprintf(text, size, "%s%s%s=%s", url, strchr(url, '?') ? "&" : "?", name, value);
    return text;
}
