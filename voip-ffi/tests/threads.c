/* Threads wait in functions without a limit, and hammer on handles, while another thread frees these: each
 * gets its status, and none stays behind. Prints a line at the end. */
#include <pthread.h>

#include "support/test.h"

static voip_tracker *tracker;
static voip_node *node, *lost_node;
static voip_call *call;

static void must_be(voip_status wanted, voip_status status, const char *what)
{
    if (status != wanted) {
        fprintf(stderr, "%s: %s instead of %s\n", what, voip_status_name(status),
                voip_status_name(wanted));
        exit(1);
    }
}

static voip_node *start(const char *name, const char *tracker_address)
{
    voip_node_builder *builder;
    voip_node *started;
    must(voip_node_builder_new(name, &builder), "name");
    must(voip_node_builder_tracker(builder, tracker_address), "tracker");
    must(voip_node_builder_bind(builder, "127.0.0.1:0"), "bind");
    must(voip_node_builder_audio_manual(builder, 48000), "rate");
    must(voip_node_builder_start(builder, &started), "start");
    must(voip_node_builder_free(builder), "builder");
    return started;
}

/* Each waits for what comes only with the end of its node or tracker. */

static void *wait_for_events(void *unused)
{
    voip_event event;
    event.size = sizeof event;
    voip_status status = VOIP_OK;
    while (status == VOIP_OK) {
        status = voip_node_next_event(node, &event, VOIP_FOREVER);
        if (status == VOIP_OK) {
            voip_event_free(&event);
        }
    }
    must_be(VOIP_CLOSED, status, "next_event");
    return unused;
}

static void *wait_for_the_end(void *unused)
{
    voip_end_reason reason;
    must(voip_call_wait_ended(call, VOIP_FOREVER, &reason), "wait_ended");
    if (reason != VOIP_END_REASON_NODE_CLOSED) {
        fprintf(stderr, "%s\n", voip_end_reason_describe(reason));
        exit(1);
    }
    return unused;
}

static void *wait_for_an_answer(void *unused)
{
    must_be(VOIP_CLOSED, voip_call_wait_answered(call, VOIP_FOREVER), "wait_answered");
    return unused;
}

static void *read_for_ever(void *unused)
{
    float block[480];
    voip_status status = VOIP_OK;
    while (status == VOIP_OK) {
        status = voip_call_read_f32(call, block, 480, VOIP_FOREVER);
    }
    must_be(VOIP_CLOSED, status, "read");
    return unused;
}

static void *write_for_ever(void *unused)
{
    static const int16_t block[480];
    size_t written;
    voip_status status = VOIP_OK;
    while (status == VOIP_OK) {
        status = voip_call_write_i16(call, block, 480, VOIP_FOREVER, &written);
    }
    must_be(VOIP_CLOSED, status, "write");
    return unused;
}

static void *wait_to_be_registered(void *unused)
{
    /* Its tracker is not there, which it says when it is asked for a time. */
    must_be(VOIP_CLOSED, voip_node_wait_registered(lost_node, VOIP_FOREVER), "wait_registered");
    return unused;
}

static void *wait_for_the_tracker(void *unused)
{
    voip_tracker_event event;
    event.size = sizeof event;
    voip_status status = VOIP_OK;
    while (status == VOIP_OK) {
        status = voip_tracker_next_event(tracker, &event, VOIP_FOREVER);
    }
    must_be(VOIP_CLOSED, status, "tracker");
    return unused;
}

/* Everything at once, until the handle is gone. */
static void *hammer(void *unused)
{
    char name[VOIP_NAME_SIZE];
    voip_call_stats stats;
    voip_status status = VOIP_OK;
    stats.size = sizeof stats;
    while (status == VOIP_OK) {
        voip_call *clone;
        bool equal = false;
        must(voip_call_clone(call, &clone), "clone");
        must(voip_call_equal(call, clone, &equal), "equal");
        must(voip_call_get_stats(clone, &stats), "stats");
        must(voip_call_free(clone), "free");
        must_be(VOIP_CLOSED, voip_call_free(clone), "free again");
        if (!equal) {
            fprintf(stderr, "a clone is another call\n");
            exit(1);
        }
        status = voip_node_name(node, name, sizeof name);
    }
    must_be(VOIP_CLOSED, status, "name");
    return unused;
}

int main(void)
{
    static void *(*const parts[])(void *) = {
        wait_for_events, wait_for_events, wait_for_the_end, wait_for_an_answer, read_for_ever,
        read_for_ever, write_for_ever, write_for_ever, wait_to_be_registered, wait_for_the_tracker,
        hammer, hammer, hammer,
    };
    enum { COUNT = sizeof parts / sizeof *parts };
    pthread_t threads[COUNT];
    char address[VOIP_ADDRESS_SIZE];
    voip_tracker_builder *builder;
    must(voip_tracker_builder_new(&builder), "tracker");
    must(voip_tracker_builder_bind(builder, "127.0.0.1:0"), "tracker");
    must(voip_tracker_builder_start(builder, &tracker), "tracker");
    must(voip_tracker_builder_free(builder), "tracker");
    must(voip_tracker_address(tracker, address, sizeof address), "tracker");
    node = start("alice", address);
    must(voip_node_wait_registered(node, LIMIT), "tracker");
    lost_node = start("lost", "127.0.0.1:9");
    /* Bob lets it ring. */
    voip_node *bob = start("bob", address);
    must(voip_node_wait_registered(bob, LIMIT), "tracker");
    must(voip_node_place(node, "bob", &call), "call");

    for (int i = 0; i < COUNT; i++) {
        if (pthread_create(&threads[i], NULL, parts[i], NULL) != 0) {
            return 1;
        }
    }
    /* A block has been heard: they are all at work. */
    float block[480];
    for (int i = 0; i < 20; i++) {
        must(voip_call_read_f32(call, block, 480, LIMIT), "read");
    }
    must(voip_node_free(node), "node");
    must_be(VOIP_CLOSED, voip_node_free(node), "node again");
    must(voip_node_free(lost_node), "lost node");
    must(voip_tracker_free(tracker), "tracker");
    for (int i = 0; i < COUNT; i++) {
        pthread_join(threads[i], NULL);
    }
    must(voip_call_free(call), "call");
    must(voip_node_free(bob), "bob");
    printf("%d threads have left\n", (int)COUNT);
    return 0;
}
