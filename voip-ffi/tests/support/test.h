/* What the C programs of the tests share. */
#ifndef VOIP_TEST_H
#define VOIP_TEST_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "voip.h"

#define LIMIT 10000 /* ms; nothing here takes so long */

static inline void must(voip_status status, const char *what)
{
    if (status != VOIP_OK) {
        fprintf(stderr, "%s: %s\n", what, voip_last_error());
        exit(1);
    }
}

static inline void check(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "not so: %s\n", what);
        exit(1);
    }
}

/* The next event of that kind. */
static inline voip_event await(voip_node *node, voip_event_kind kind)
{
    voip_event event;
    event.size = sizeof event;
    for (;;) {
        must(voip_node_next_event(node, &event, LIMIT), "event");
        if (event.kind == kind) {
            return event;
        }
        voip_event_free(&event);
    }
}

#endif
