/* Two nodes of one program that do not know each other's name are handed to each other, and one calls. Prints a line
 * at the end.
 *
 *     pairing TRACKER
 */
#include "support/test.h"

static voip_node *start(const char *name, const char *tracker)
{
    voip_node_builder *builder;
    voip_node *node;
    must(voip_node_builder_new(name, &builder), "name");
    if (tracker != NULL) {
        must(voip_node_builder_tracker(builder, tracker), "tracker");
    }
    must(voip_node_builder_bind(builder, "127.0.0.1:0"), "bind");
    must(voip_node_builder_audio_null(builder), "audio");
    must(voip_node_builder_auto_answer(builder, true), "answer");
    must(voip_node_builder_start(builder, &node), "start");
    must(voip_node_builder_free(builder), "builder");
    return node;
}

int main(int argc, char **argv)
{
    voip_node *alice, *bob, *nobody;
    voip_event at_alice, at_bob, failed;
    voip_call *call;
    if (argc != 2) {
        return 2;
    }
    alice = start("alice", argv[1]);
    bob = start("bob", argv[1]);
    must(voip_node_unpair(alice), "unpair");
    must(voip_node_pair(bob), "pair");
    must(voip_node_pair(alice), "pair");
    at_alice = await(alice, VOIP_EVENT_PAIRED);
    at_bob = await(bob, VOIP_EVENT_PAIRED);
    check(strcmp(at_alice.name, "bob") == 0 && strcmp(at_bob.name, "alice") == 0, "the names");
    check(at_alice.calls != at_bob.calls, "one of them calls");
    must(voip_node_place(at_alice.calls ? alice : bob, at_alice.calls ? at_alice.id : at_bob.id, &call), "call");
    must(voip_call_wait_connected(call, LIMIT), "connected");
    must(voip_call_free(call), "call");

    nobody = start("nobody", NULL);
    must(voip_node_pair(nobody), "pair");
    failed = await(nobody, VOIP_EVENT_PAIRING_FAILED);
    check(failed.error == VOIP_TRACKER_UNREACHABLE && failed.message[0] != 0, "no tracker");
    must(voip_node_close(nobody), "close");
    check(voip_node_pair(nobody) == VOIP_CLOSED, "closed");
    must(voip_node_free(nobody), "nobody");
    must(voip_node_free(alice), "alice");
    must(voip_node_free(bob), "bob");
    puts("paired as they should be");
    return 0;
}
