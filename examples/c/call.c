/* Calls somebody, plays a WAV file to them and records what they say.
 *
 *     cc call.c -o call $(pkg-config --cflags --libs voip)
 *     ./call 127.0.0.1:6000 alice bob hello.wav heard.wav
 */
#include <stdio.h>
#include <stdlib.h>

#include "voip.h"

static void must(voip_status status, const char *what)
{
    if (status != VOIP_OK) {
        fprintf(stderr, "%s: %s\n", what, voip_last_error());
        exit(1);
    }
}

/* Once the file is over the microphone gives nothing but digital silence. */
static bool is_over(voip_call *call)
{
    voip_call_stats stats;
    stats.size = sizeof stats;
    must(voip_call_get_stats(call, &stats), "statistics");
    return stats.digital_silence;
}

static void print_quality(voip_call *call)
{
    voip_call_stats stats;
    stats.size = sizeof stats;
    must(voip_call_get_stats(call, &stats), "statistics");
    printf("answered after %.0f ms, heard after %.0f ms; %.1f %% lost, %.0f ms from mouth to ear\n",
           stats.answer_ms, stats.first_audio_ms, stats.loss_pct, stats.stages_ms.total);
}

int main(int argc, char **argv)
{
    if (argc != 6) {
        fprintf(stderr, "usage: %s TRACKER NAME TARGET PLAY.wav RECORD.wav\n", argv[0]);
        return 2;
    }

    voip_node_builder *builder = NULL;
    voip_node *node = NULL;
    must(voip_node_builder_new(argv[2], &builder), "the name");
    must(voip_node_builder_tracker(builder, argv[1]), "the tracker");
    must(voip_node_builder_audio_wav(builder, argv[4], argv[5]), "the files");
    must(voip_node_builder_start(builder, &node), "start");
    voip_node_builder_free(builder);
    must(voip_node_wait_registered(node, 5000), "the tracker");

    voip_call *call = NULL;
    must(voip_node_call(node, argv[3], VOIP_FOREVER, &call), argv[3]); /* rings for 45 s at most */
    printf("talking to %s\n", argv[3]);

    voip_end_reason reason = VOIP_END_REASON_NONE;
    while (voip_call_wait_ended(call, 100, &reason) == VOIP_TIMED_OUT) {
        if (is_over(call)) {
            voip_call_hang_up(call);
        }
    }
    printf("the call is over: %s\n", voip_end_reason_describe(reason));
    print_quality(call);

    voip_call_free(call);
    voip_node_free(node);
    return 0;
}
