/* Two nodes of one program call each other: the words of the call are the same at both ends, so is the
 * number of their keys, and whoever is blocked does not ring. Prints a line at the end.
 *
 *     contacts TRACKER
 */
#include "support/test.h"

static voip_node *start(const char *name, const char *tracker, bool contacts_only)
{
    voip_node_builder *builder;
    voip_node *node;
    must(voip_node_builder_new(name, &builder), "name");
    must(voip_node_builder_tracker(builder, tracker), "tracker");
    must(voip_node_builder_bind(builder, "127.0.0.1:0"), "bind");
    must(voip_node_builder_ring_timeout(builder, 1000), "ring");
    must(voip_node_builder_contacts_only(builder, contacts_only), "contacts only");
    must(voip_node_builder_start(builder, &node), "start");
    must(voip_node_builder_free(builder), "builder");
    must(voip_node_wait_registered(node, LIMIT), "registered");
    return node;
}

static voip_contact only_contact(voip_node *node)
{
    voip_contact_list *list;
    size_t count;
    voip_contact contact;
    contact.size = sizeof contact;
    must(voip_node_contacts(node, &list), "contacts");
    must(voip_contact_list_count(list, &count), "count");
    check(count == 1, "one contact");
    must(voip_contact_list_get(list, 0, &contact), "contact");
    must(voip_contact_list_free(list), "list");
    return contact;
}

static void nobody_answers(voip_node *alice)
{
    voip_call *call;
    check(voip_node_call(alice, "bob", VOIP_FOREVER, &call) == VOIP_NO_ANSWER, "nobody comes");
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        return 2;
    }
    char alices_id[VOIP_ID_SIZE], bobs_id[VOIP_ID_SIZE];
    voip_node *alice = start("alice", argv[1], false);
    voip_node *bob = start("bob", argv[1], true);
    must(voip_node_id(alice, alices_id, sizeof alices_id), "id");
    must(voip_node_id(bob, bobs_id, sizeof bobs_id), "id");

    char one[VOIP_SAFETY_NUMBER_SIZE], other[VOIP_SAFETY_NUMBER_SIZE];
    must(voip_node_safety_number(alice, bobs_id, one, sizeof one), "safety number");
    must(voip_node_safety_number(bob, alices_id, other, sizeof other), "safety number");
    check(strcmp(one, other) == 0 && strlen(one) == 71, "the same 60 digits");

    nobody_answers(alice); /* a stranger */
    must(voip_node_set_contact(bob, "alice", alices_id, VOIP_CONTACT_STATE_VERIFIED), "verified");
    voip_contact contact = only_contact(bob);
    check(strcmp(contact.name, "alice") == 0 && strcmp(contact.id, alices_id) == 0, "it is Alice");
    check(contact.state == VOIP_CONTACT_STATE_VERIFIED, "she is verified");

    voip_call *call;
    must(voip_node_place(alice, "bob", &call), "place");
    char words[VOIP_WORDS_SIZE];
    must(voip_call_verification_words(call, words, sizeof words), "words");
    check(words[0] == 0, "no words before there is a call");
    voip_event incoming = await(bob, VOIP_EVENT_INCOMING);
    must(voip_call_answer(incoming.call), "answer");
    voip_event at_alice = await(alice, VOIP_EVENT_VERIFICATION_READY);
    voip_event at_bob = await(bob, VOIP_EVENT_VERIFICATION_READY);
    check(strcmp(at_alice.words, at_bob.words) == 0, "the same words");
    must(voip_call_verification_words(incoming.call, words, sizeof words), "words");
    check(strcmp(words, at_bob.words) == 0, "the call's words are those of the event");
    int spaces = 0;
    for (const char *c = words; *c; c++) {
        spaces += *c == ' ';
    }
    check(spaces == 3, "four words");

    must(voip_node_set_contact(bob, "alice", alices_id, VOIP_CONTACT_STATE_BLOCKED), "block");
    voip_end_reason reason;
    must(voip_call_wait_ended(call, LIMIT, &reason), "ended");
    check(reason == VOIP_END_REASON_PEER_HUNG_UP, "to block is to hang up");
    nobody_answers(alice);
    must(voip_node_forget_contact(bob, "alice"), "forget");
    voip_contact_list *none;
    size_t count;
    must(voip_node_contacts(bob, &none), "contacts");
    must(voip_contact_list_count(none, &count), "count");
    check(count == 0, "nobody is known any more");

    voip_event left;
    left.size = sizeof left;
    while (voip_node_next_event(bob, &left, 0) == VOIP_OK) {
        check(left.kind != VOIP_EVENT_INCOMING, "neither stranger nor blocked caller rang");
        voip_event_free(&left);
    }
    must(voip_contact_list_free(none), "list");
    must(voip_event_free(&incoming), "event");
    must(voip_event_free(&at_alice), "event");
    must(voip_event_free(&at_bob), "event");
    must(voip_call_free(call), "call");
    must(voip_node_free(alice), "alice");
    must(voip_node_free(bob), "bob");
    puts("words and contacts are as they should be");
    return 0;
}
