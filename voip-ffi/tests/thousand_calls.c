/* Makes and drops many calls in one process, and prints what it holds of the system meanwhile: nothing may
 * grow after the first 50.
 *
 *     thousand_calls TRACKER [CALLS]
 */
#include <dirent.h>
#include <malloc.h>

#include "support/test.h"

#define BLOCK 480
#define WARM_UP 50
/* Blocks of a call: 0.2 s. The tracker takes 20 requests a second of each peer, and a call needs some. */
#define TALK 20
/* Bytes. Each offer is remembered for ten minutes, so that it cannot be played again: some 100 bytes for each
 * call on both sides, of 4096 at most. A call that stayed would be half a kilobyte at least. */
#define SLACK (256 * 1024)

static voip_node *start(const char *name, const char *tracker, bool auto_answer)
{
    voip_node_builder *builder;
    voip_node *node;
    must(voip_node_builder_new(name, &builder), "name");
    must(voip_node_builder_tracker(builder, tracker), "tracker");
    must(voip_node_builder_bind(builder, "127.0.0.1:0"), "bind");
    must(voip_node_builder_audio_manual(builder, 48000), "rate");
    must(voip_node_builder_auto_answer(builder, auto_answer), "answer");
    must(voip_node_builder_start(builder, &node), "start");
    must(voip_node_builder_free(builder), "builder");
    must(voip_node_wait_registered(node, LIMIT), "tracker");
    return node;
}

static void wait_for(voip_node *node, voip_event_kind kind)
{
    voip_event event;
    voip_event_kind got;
    event.size = sizeof event;
    do {
        must(voip_node_next_event(node, &event, LIMIT), "event");
        got = event.kind;
        voip_event_free(&event);
    } while (got != kind);
}

static void one_call(voip_node *alice, voip_node *bob)
{
    float block[BLOCK] = { 0 };
    size_t written;
    voip_call *call;
    must(voip_node_call(alice, "bob", LIMIT, &call), "call");
    must(voip_call_wait_connected(call, LIMIT), "connection");
    for (int i = 0; i < TALK; i++) {
        must(voip_call_write_f32(call, block, BLOCK, LIMIT, &written), "write");
        must(voip_call_read_f32(call, block, BLOCK, LIMIT), "read");
    }
    must(voip_call_free(call), "handle"); /* hangs up */
    wait_for(alice, VOIP_EVENT_ENDED);
    wait_for(bob, VOIP_EVENT_ENDED);
}

struct holding {
    size_t heap;     /* bytes in use */
    long resident;   /* kB */
    long descriptors;
    long threads;
};

static long status_of(const char *name)
{
    char line[256];
    long value = -1;
    FILE *file = fopen("/proc/self/status", "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, name, strlen(name)) == 0) {
            value = strtol(line + strlen(name), NULL, 10);
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return value;
}

static struct holding look(int calls)
{
    struct holding now = { 0, 0, 0, 0 };
    DIR *folder = opendir("/proc/self/fd");
    while (folder != NULL && readdir(folder) != NULL) {
        now.descriptors++;
    }
    if (folder != NULL) {
        closedir(folder);
    }
    now.heap = mallinfo2().uordblks;
    now.resident = status_of("VmRSS:");
    now.threads = status_of("Threads:");
    printf("%4d calls: heap %zu kB, resident %ld kB, %ld descriptors, %ld threads\n", calls,
           now.heap / 1024, now.resident, now.descriptors, now.threads);
    return now;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: %s TRACKER [CALLS]\n", argv[0]);
        return 2;
    }
    int calls = argc > 2 ? atoi(argv[2]) : 1000;
    voip_node *alice = start("alice", argv[1], false);
    voip_node *bob = start("bob", argv[1], true);
    struct holding first = { 0, 0, 0, 0 }, last = { 0, 0, 0, 0 };
    for (int i = 1; i <= calls; i++) {
        one_call(alice, bob);
        if (i == WARM_UP) {
            first = look(i);
        } else if (i % WARM_UP == 0) {
            last = look(i);
        }
    }
    must(voip_node_free(alice), "alice");
    must(voip_node_free(bob), "bob");
    if (last.heap > first.heap + SLACK || last.descriptors > first.descriptors ||
        last.threads > first.threads) {
        fprintf(stderr, "something has grown\n");
        return 1;
    }
    return 0;
}
