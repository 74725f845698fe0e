/* The pages of web/, the browser client and the chart library, as they were when the program was built.
 * Is:     a constant table; tools/embed-web writes its definition.
 * SPDX-License-Identifier: MIT */
#ifndef DX_CLI_WEB_H
#define DX_CLI_WEB_H

#include "http/pages.h"

extern const dx_pages dx_web_pages;

#endif
