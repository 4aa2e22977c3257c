/* A whole call on one thread that never waits but in epoll_wait: calls somebody (or, without a target,
 * waits to be called), says a tone for so many seconds, tells how loud the answer was. Linux.
 *
 *     cc epoll_peer.c -o epoll_peer $(pkg-config --cflags --libs voip) -lm
 *     ./epoll_peer 127.0.0.1:6000 alice 3 bob
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>

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

struct peer {
    int epoll;
    voip_node *node;
    voip_call *call;
    size_t to_say; /* samples */
    size_t said;
    size_t heard;
    double power; /* of all that was heard */
    bool is_connected;
    bool is_over;
};

static void watch(struct peer *peer, int descriptor)
{
    struct epoll_event interest = { .events = EPOLLIN, .data = { .fd = descriptor } };
    if (epoll_ctl(peer->epoll, EPOLL_CTL_ADD, descriptor, &interest) != 0) {
        perror("epoll_ctl");
        exit(1);
    }
}

/* Writes all that there is room for. */
static void speak(struct peer *peer)
{
    float block[BLOCK];
    size_t written = BLOCK;
    while (peer->said < peer->to_say && written == BLOCK) {
        for (size_t i = 0; i < BLOCK; i++) {
            block[i] = 0.3f * sinf(6.2831853f * 440.0f * (float)(peer->said + i) / RATE);
        }
        if (voip_call_write_f32(peer->call, block, BLOCK, 0, &written) != VOIP_OK) {
            return; /* no room at all, or the call is over, which an event tells */
        }
        peer->said += written;
    }
    if (peer->said >= peer->to_say) {
        voip_call_hang_up(peer->call);
    }
}

/* Reads all that is due. */
static void listen(struct peer *peer)
{
    float block[BLOCK];
    while (voip_call_read_f32(peer->call, block, BLOCK, 0) == VOIP_OK) {
        for (size_t i = 0; i < BLOCK; i++) {
            peer->power += (double)block[i] * block[i];
        }
        peer->heard += BLOCK;
    }
}

static void handle(struct peer *peer, voip_event *event)
{
    int descriptor;
    switch (event->kind) {
    case VOIP_EVENT_INCOMING:
        if (peer->call == NULL) {
            peer->call = event->call;
            event->call = NULL; /* ours now */
            voip_call_answer(peer->call);
        }
        break;
    case VOIP_EVENT_CONNECTED:
        printf("connected\n");
        must(voip_call_pcm_descriptor(peer->call, &descriptor), "the descriptor");
        watch(peer, descriptor);
        peer->is_connected = true;
        break;
    case VOIP_EVENT_ENDED:
        printf("over: %s\n", voip_end_reason_describe(event->end_reason));
        peer->is_over = true;
        break;
    default:
        break;
    }
}

/* The events that are there, then the sound: the first write and the first read start the descriptor. */
static void turn(struct peer *peer)
{
    voip_event event;
    event.size = sizeof event;
    while (voip_node_next_event(peer->node, &event, 0) == VOIP_OK) {
        handle(peer, &event);
        voip_event_free(&event);
    }
    if (peer->is_connected && !peer->is_over) {
        listen(peer);
        speak(peer);
    }
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: %s TRACKER NAME SECONDS [TARGET]\n", argv[0]);
        return 2;
    }
    struct peer peer = { .epoll = epoll_create1(EPOLL_CLOEXEC) };
    peer.to_say = (size_t)(strtod(argv[3], NULL) * RATE);

    voip_node_builder *builder = NULL;
    must(voip_node_builder_new(argv[2], &builder), "the name");
    must(voip_node_builder_tracker(builder, argv[1]), "the tracker");
    must(voip_node_builder_audio_manual(builder, RATE), "the rate");
    must(voip_node_builder_start(builder, &peer.node), "start");
    voip_node_builder_free(builder);

    int descriptor;
    must(voip_node_event_descriptor(peer.node, &descriptor), "the descriptor");
    watch(&peer, descriptor);
    if (argc > 4) {
        must(voip_node_wait_registered(peer.node, 5000), "the tracker");
        must(voip_node_place(peer.node, argv[4], &peer.call), argv[4]);
    }
    while (!peer.is_over) {
        struct epoll_event ready;
        if (epoll_wait(peer.epoll, &ready, 1, -1) == 1) {
            turn(&peer);
        }
    }
    printf("heard %.1f s, RMS %.3f\n", (double)peer.heard / RATE,
           peer.heard > 0 ? sqrt(peer.power / (double)peer.heard) : 0.0);
    voip_call_free(peer.call);
    voip_node_free(peer.node);
    return 0;
}
