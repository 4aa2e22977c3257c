/* The scripted peer in C; see README.md beside it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "voip.h"

#define RATE 48000
#define BLOCK 480 /* 10 ms */
#define LIMIT_MS 10000

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

static void must(voip_status status, const char *what)
{
    if (status != VOIP_OK) {
        fail(what, voip_last_error());
    }
}

static const char *reason_name(voip_end_reason reason)
{
    static const char *const names[] = {
        "none", "hung_up", "peer_hung_up", "busy", "declined", "no_answer", "missed", "unknown_peer",
        "ambiguous_name", "key_changed", "tracker_unreachable", "unreachable", "network_lost",
        "protocol", "node_closed",
    };
    return names[reason];
}

static void say_end(voip_call *call)
{
    voip_end_reason reason;
    must(voip_call_wait_ended(call, LIMIT_MS, &reason), "the end");
    printf("ended %s\n", reason_name(reason));
}

struct talk {
    size_t said;
    bool heard;
};

/* Says 10 ms of a tone and hears 10 ms. The end of the call is no mistake. */
static void turn(struct talk *talk, voip_call *call)
{
    float block[BLOCK];
    size_t written;
    for (size_t i = 0; i < BLOCK; i++) {
        block[i] = 0.3f * (float)sin(6.283185307 * 440.0 * (double)talk->said++ / RATE);
    }
    voip_status status = voip_call_write_f32(call, block, BLOCK, LIMIT_MS, &written);
    if (status == VOIP_OK) {
        status = voip_call_read_f32(call, block, BLOCK, LIMIT_MS);
    }
    if (status == VOIP_CALL_ENDED) {
        return;
    }
    must(status, "the sound");
    double power = 0;
    for (size_t i = 0; i < BLOCK; i++) {
        power += (double)block[i] * block[i];
    }
    talk->heard |= sqrt(power / BLOCK) > 0.01;
}

static void say_heard(const struct talk *talk)
{
    printf("heard %s\n", talk->heard ? "yes" : "no");
}

static voip_call *wait_for_a_call(voip_node *node)
{
    voip_event event;
    event.size = sizeof event;
    while (voip_node_next_event(node, &event, LIMIT_MS) == VOIP_OK) {
        if (event.kind == VOIP_EVENT_INCOMING) {
            return event.call;
        }
        must(voip_event_free(&event), "an event");
    }
    fail("nobody called", voip_last_error());
    return NULL;
}

static void say_mutes(voip_node *node)
{
    voip_event event;
    event.size = sizeof event;
    while (voip_node_next_event(node, &event, 0) == VOIP_OK) {
        if (event.kind == VOIP_EVENT_PEER_MUTED) {
            printf("peer %s\n", event.muted ? "muted" : "unmuted");
        }
        must(voip_event_free(&event), "an event");
    }
}

static void talk_to_the_end(voip_node *node, voip_call *call)
{
    struct talk talk = { 0 };
    voip_call_state state = VOIP_CALL_STATE_RINGING;
    while (state != VOIP_CALL_STATE_ENDED) {
        turn(&talk, call);
        say_mutes(node);
        must(voip_call_get_state(call, &state, NULL), "the state");
    }
    say_end(call);
    say_heard(&talk);
}

static void take_a_call(voip_node *node, const char *how)
{
    voip_call *call = wait_for_a_call(node);
    voip_call_peer peer;
    peer.size = sizeof peer;
    must(voip_call_get_peer(call, &peer), "the peer");
    printf("incoming %s\n", peer.name);
    if (strcmp(how, "answer") == 0) {
        must(voip_call_answer(call), "the answer");
        talk_to_the_end(node, call);
    } else {
        if (strcmp(how, "decline") == 0) {
            must(voip_call_reject(call, VOIP_REJECT_DECLINED), "declining");
        } else if (strcmp(how, "busy") == 0) {
            must(voip_call_reject(call, VOIP_REJECT_BUSY), "busy");
        }
        say_end(call);
    }
    must(voip_call_free(call), "the call");
}

static void list_peers(voip_node *node)
{
    voip_peer_list *list = NULL;
    size_t count = 0;
    must(voip_node_peers(node, LIMIT_MS, &list), "the list");
    must(voip_peer_list_count(list, &count), "the list");
    printf("listed");
    for (size_t i = 0; i < count; i++) {
        voip_peer peer;
        peer.size = sizeof peer;
        must(voip_peer_list_get(list, i, &peer), "the list");
        printf(" %s", peer.name);
    }
    printf("\n");
    must(voip_peer_list_free(list), "the list");
}

static void make_a_call(voip_node *node, const char *target, bool unregistered)
{
    if (!unregistered) {
        list_peers(node);
    }
    voip_call *call = NULL;
    voip_status status = voip_node_call(node, target, LIMIT_MS, &call);
    if (status != VOIP_OK) {
        printf("error %s\n", voip_status_name(status));
        return;
    }
    printf("answered\n");
    struct talk talk = { 0 };
    static const struct {
        bool muted;
        int blocks;
    } parts[] = { { false, 60 }, { true, 40 }, { false, 60 } };
    for (size_t part = 0; part < 3; part++) {
        must(voip_call_set_muted(call, parts[part].muted), "muting");
        for (int i = 0; i < parts[part].blocks; i++) {
            turn(&talk, call);
        }
    }
    must(voip_call_hang_up(call), "hanging up");
    say_end(call);
    say_heard(&talk);
    must(voip_call_free(call), "the call");
}

static voip_node *start(const char *name, const char *tracker)
{
    voip_node_builder *builder = NULL;
    voip_node *node = NULL;
    must(voip_node_builder_new(name, &builder), "the name");
    must(voip_node_builder_tracker(builder, tracker), "the tracker");
    must(voip_node_builder_bind(builder, "127.0.0.1:0"), "the port");
    must(voip_node_builder_audio_manual(builder, RATE), "the rate");
    must(voip_node_builder_ring_timeout(builder, 3000), "the ring time");
    must(voip_node_builder_start(builder, &node), "the node");
    must(voip_node_builder_free(builder), "the builder");
    return node;
}

/* The word after an option, or NULL. */
static const char *option(char **arguments, const char *name)
{
    for (; *arguments != NULL; arguments++) {
        if (strcmp(*arguments, name) == 0) {
            return arguments[1];
        }
    }
    return NULL;
}

static bool has(char **arguments, const char *name)
{
    for (; *arguments != NULL; arguments++) {
        if (strcmp(*arguments, name) == 0) {
            return true;
        }
    }
    return false;
}

int main(int argc, char **argv)
{
    (void)argc;
    const char *tracker = option(argv, "--tracker"), *name = option(argv, "--name");
    const char *how = option(argv, "--how"), *target = option(argv, "--target");
    bool unregistered = has(argv, "--unregistered");
    if (tracker == NULL || name == NULL || (how == NULL) == (target == NULL)) {
        fail("usage", "--tracker A --name N --role callee --how H | --role caller --target T");
    }
    setvbuf(stdout, NULL, _IONBF, 0);

    voip_node *node = start(name, tracker);
    if (!unregistered) {
        must(voip_node_wait_registered(node, 5000), "the tracker");
    }
    printf("ready\n");
    if (how != NULL) {
        take_a_call(node, how);
    } else {
        make_a_call(node, target, unregistered);
    }
    must(voip_node_free(node), "the node");
    return 0;
}
