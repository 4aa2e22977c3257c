/* Writes to everybody in a mesh of nodes without a tracker, one text for each line of standard input, and tells
 * what they write. The first one needs no NODE; the others name any that is there.
 *
 *     cc text.c -o text $(pkg-config --cflags --libs voip)
 *     ./text '[::]:7000' alice
 *     ./text '[::]:0' bob 127.0.0.1:7000
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "voip.h"

static void must(voip_status status, const char *what)
{
    if (status != VOIP_OK) {
        fprintf(stderr, "%s: %s\n", what, voip_last_error());
        exit(1);
    }
}

static voip_node *start(char **arguments, int count)
{
    voip_node_builder *builder = NULL;
    voip_node *node = NULL;
    must(voip_node_builder_new(arguments[1], &builder), "the name");
    must(voip_node_builder_bind(builder, arguments[0]), "the address");
    must(voip_node_builder_mesh(builder, true), "the mesh");
    for (int i = 2; i < count; i++) {
        must(voip_node_builder_connect(builder, arguments[i]), "the node");
    }
    must(voip_node_builder_start(builder, &node), "start");
    voip_node_builder_free(builder);
    return node;
}

/* Everything that there is to tell. */
static void tell(voip_node *node)
{
    voip_event event = { .size = sizeof event };
    voip_text text = { .size = sizeof text };
    while (voip_node_next_event(node, &event, 0) == VOIP_OK) {
        if (event.kind == VOIP_EVENT_TEXT) {
            must(voip_event_text(&event, &text), "the text");
            printf("%s: %s\n", text.name, text.text);
        } else if (event.kind == VOIP_EVENT_JOINED || event.kind == VOIP_EVENT_LEFT) {
            printf("%s %s\n", event.name, event.kind == VOIP_EVENT_LEFT ? "leaves" : "is here");
        }
        voip_event_free(&event); /* and with it the text */
    }
    fflush(stdout);
}

/* Sends each whole line of what was typed and keeps the rest; how much that is. */
static size_t say(voip_node *node, char *typed, size_t length)
{
    char *end;
    while ((end = memchr(typed, '\n', length)) != NULL) {
        *end = 0;
        voip_status status = voip_node_send_text(node, VOIP_AUDIENCE_ALL, NULL, typed, 1000, NULL);
        if (status != VOIP_OK) {
            fprintf(stderr, "not sent: %s\n", voip_last_error());
        }
        length -= (size_t)(end + 1 - typed);
        memmove(typed, end + 1, length);
    }
    return length;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: %s IP:PORT NAME [NODE...]\n", argv[0]);
        return 2;
    }
    voip_node *node = start(argv + 1, argc - 1);
    struct pollfd wait[2] = { { .fd = STDIN_FILENO, .events = POLLIN }, { .events = POLLIN } };
    must(voip_node_event_descriptor(node, &wait[1].fd), "the events");
    static char typed[VOIP_LONG_TEXT_SIZE];
    size_t length = 0;
    while (length < sizeof typed && poll(wait, 2, -1) > 0) {
        tell(node);
        if (wait[0].revents != 0) {
            ssize_t more = read(STDIN_FILENO, typed + length, sizeof typed - length);
            if (more <= 0) {
                break;
            }
            length = say(node, typed, length + (size_t)more);
        }
    }
    if (length == sizeof typed) {
        fprintf(stderr, "the line is too long\n");
    }
    voip_node_free(node);
    return 0;
}
