/* What hub 0 does for streams that are in the store and not in memory.
 * Is:     rounds over all of them (survey.c says how).
 * Is not: retention and ends of one stream (stream_page.c, stream_store.c).
 * Memory: a part of the hub; a path for each stream that is being looked at.
 * Threads: hub 0's; each stream is looked at at its home.
 * SPDX-License-Identifier: MIT */
#ifndef DX_STREAM_SURVEY_H
#define DX_STREAM_SURVEY_H

#include "stream/hub_home.h"

/* When the hub begins. */
void dx_survey_init(dx_hub *hub);
/* Each second; does nothing on other hubs than the first. */
void dx_survey_tick(dx_hub *hub);

#endif
