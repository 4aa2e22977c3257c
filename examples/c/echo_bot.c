/* Answers every call, says back what it hears, and tells what happens. With a number, so many calls.
 *
 *     cc echo_bot.c -o echo_bot $(pkg-config --cflags --libs voip)
 *     ./echo_bot 127.0.0.1:6000 bob
 */
#include <stdio.h>
#include <stdlib.h>

#include "voip.h"

#define RATE 48000
#define BLOCK (RATE / 100) /* 10 ms */

static void must(voip_status status, const char *what)
{
    if (status != VOIP_OK) {
        fprintf(stderr, "%s: %s\n", what, voip_last_error());
        exit(1);
    }
}

/* Reading is the clock: each block comes when it is due. */
static void echo_until_the_end(voip_call *call)
{
    int16_t block[BLOCK];
    size_t written;
    voip_status status = VOIP_OK;
    while (status == VOIP_OK) {
        status = voip_call_read_i16(call, block, BLOCK, VOIP_FOREVER);
        if (status == VOIP_OK) {
            status = voip_call_write_i16(call, block, BLOCK, VOIP_FOREVER, &written);
        }
    }
    voip_end_reason reason = VOIP_END_REASON_NONE;
    must(voip_call_wait_ended(call, VOIP_FOREVER, &reason), "the end");
    printf("over: %s\n", voip_end_reason_describe(reason));
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: %s TRACKER NAME [CALLS]\n", argv[0]);
        return 2;
    }
    long calls = argc > 3 ? strtol(argv[3], NULL, 10) : -1;

    voip_node_builder *builder = NULL;
    voip_node *node = NULL;
    must(voip_node_builder_new(argv[2], &builder), "the name");
    must(voip_node_builder_tracker(builder, argv[1]), "the tracker");
    must(voip_node_builder_audio_manual(builder, RATE), "the rate");
    must(voip_node_builder_start(builder, &node), "start");
    voip_node_builder_free(builder);

    voip_event event;
    event.size = sizeof event;
    while (calls != 0 && voip_node_next_event(node, &event, VOIP_FOREVER) == VOIP_OK) {
        if (event.kind == VOIP_EVENT_REGISTERED) {
            printf("registered at %s, %u online\n", event.tracker, (unsigned)event.online);
        } else if (event.kind == VOIP_EVENT_TRACKER_LOST) {
            printf("%s: %s\n", event.tracker, event.message);
        } else if (event.kind == VOIP_EVENT_INCOMING) {
            voip_call_peer peer;
            peer.size = sizeof peer;
            must(voip_call_get_peer(event.call, &peer), "the peer");
            printf("%s calls\n", peer.name);
            if (voip_call_answer(event.call) == VOIP_OK) {
                echo_until_the_end(event.call);
                calls -= calls > 0;
            }
        }
        fflush(stdout);
        voip_event_free(&event); /* and with it the handle of the call */
    }
    voip_node_free(node);
    return 0;
}
