/* Two nodes of one program that have no tracker write to each other: to all, to a room and to one peer. What
 * was written is delivered, and read again from the history, also after a restart. Prints a line at the end.
 *
 *     texts HISTORY_FILE
 */
#include <stddef.h>

#include "support/test.h"

static voip_node *start(const char *name, const char *begin_with, const char *history_file)
{
    voip_node_builder *builder;
    voip_node *node;
    must(voip_node_builder_new(name, &builder), "name");
    must(voip_node_builder_bind(builder, "127.0.0.1:0"), "bind");
    must(voip_node_builder_mesh(builder, true), "mesh");
    if (begin_with != NULL) {
        must(voip_node_builder_connect(builder, begin_with), "connect");
    }
    if (history_file != NULL) {
        must(voip_node_builder_history_file(builder, history_file), "history");
    }
    must(voip_node_builder_start(builder, &node), "start");
    must(voip_node_builder_free(builder), "builder");
    return node;
}

static voip_text await_text(voip_node *node)
{
    voip_text text;
    text.size = sizeof text;
    voip_event event = await(node, VOIP_EVENT_TEXT);
    must(voip_event_text(&event, &text), "text");
    check(strcmp(event.name, text.name) == 0, "the event names the author");
    check(strcmp(event.id, text.id.author) == 0, "the event has the author's key");
    voip_event copy = event;
    must(voip_event_free(&event), "event");
    check(voip_event_text(&copy, &text) == VOIP_CLOSED, "the text went with the event");
    return text;
}

static bool same(const voip_text_id *a, const voip_text_id *b)
{
    return strcmp(a->author, b->author) == 0 && a->log == b->log && a->seq == b->seq;
}

/* How many texts there are before one, and the last of them. */
static size_t last_of(voip_node *node, voip_audience of, const char *whom, const voip_text_id *before,
                      voip_text *last)
{
    voip_text_list *list;
    size_t count;
    must(voip_node_history(node, of, whom, before, 100, LIMIT, &list), "history");
    must(voip_text_list_count(list, &count), "count");
    last->size = sizeof *last;
    if (count > 0) {
        must(voip_text_list_get(list, count - 1, last), "element");
    }
    must(voip_text_list_free(list), "list");
    return count;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        return 2;
    }
    char address[VOIP_ADDRESS_SIZE], alices_id[VOIP_ID_SIZE], bobs_id[VOIP_ID_SIZE];
    voip_node *alice = start("alice", NULL, NULL);
    must(voip_node_local_address(alice, address, sizeof address), "address");
    must(voip_node_id(alice, alices_id, sizeof alices_id), "id");
    voip_node *bob = start("bob", address, argv[1]);
    must(voip_node_id(bob, bobs_id, sizeof bobs_id), "id");
    voip_event joined = await(alice, VOIP_EVENT_JOINED);
    check(strcmp(joined.name, "bob") == 0, "Bob is there");
    must(voip_event_free(&joined), "event");

    static char longest[VOIP_LONG_TEXT_SIZE];
    memset(longest, 'x', sizeof longest - 1);
    voip_text_id for_all, for_bob;
    must(voip_node_send_text(alice, VOIP_AUDIENCE_ALL, NULL, longest, LIMIT, &for_all), "to all");
    must(voip_node_send_text(alice, VOIP_AUDIENCE_ROOM, "general", "caf\xc3\xa9", LIMIT, NULL), "to a room");
    must(voip_node_send_text(alice, VOIP_AUDIENCE_PEER, bobs_id, "a\nb", LIMIT, &for_bob), "to Bob");

    voip_text text = await_text(bob);
    check(same(&text.id, &for_all) && text.to == VOIP_AUDIENCE_ALL && !*text.whom, "it is for all");
    check(strcmp(text.name, "alice") == 0 && strcmp(text.text, longest) == 0, "it is Alice's, and whole");
    check(strcmp(text.id.author, alices_id) == 0 && text.at_unix_ms > 0 && !text.late, "just now");
    text = await_text(bob);
    check(text.to == VOIP_AUDIENCE_ROOM && strcmp(text.whom, "general") == 0, "it is for the room");
    check(strcmp(text.text, "caf\xc3\xa9") == 0, "it is what was written");
    text = await_text(bob);
    check(same(&text.id, &for_bob) && strcmp(text.text, "a\nb") == 0, "it is for Bob");
    check(text.to == VOIP_AUDIENCE_PEER && strcmp(text.whom, bobs_id) == 0, "it is for Bob alone");

    voip_event delivered = await(alice, VOIP_EVENT_TEXT_DELIVERED);
    voip_text_id id;
    check(strcmp(delivered.id, bobs_id) == 0 && delivered.count == 1, "one came to Bob");
    must(voip_event_text_id(&delivered, 0, &id), "which");
    check(same(&id, &for_bob), "that for him");
    check(voip_event_text_id(&delivered, 1, &id) == VOIP_INVALID_ARGUMENT, "and no other");
    check(voip_event_text(&delivered, &text) == VOIP_INVALID_ARGUMENT, "its text is not told");
    must(voip_event_free(&delivered), "event");

    /* To answer is to write to the author. */
    must(voip_node_send_text(bob, VOIP_AUDIENCE_PEER, text.id.author, "hello", LIMIT, &id), "to Alice");
    text = await_text(alice);
    check(strcmp(text.text, "hello") == 0 && same(&text.id, &id), "Bob's answer");
    check(last_of(alice, VOIP_AUDIENCE_PEER, bobs_id, NULL, &text) == 2, "both of their texts");
    check(same(&text.id, &id), "Bob's is the last");
    check(last_of(alice, VOIP_AUDIENCE_PEER, bobs_id, &id, &text) == 1, "one before that");
    check(same(&text.id, &for_bob), "Alice's");
    check(last_of(bob, VOIP_AUDIENCE_ROOM, "another", NULL, &text) == 0, "nothing anywhere else");

    /* A program that was compiled before there were texts is told that there is one, and writes nothing beyond. */
    must(voip_node_send_text(bob, VOIP_AUDIENCE_ALL, "", "again", LIMIT, NULL), "to all");
    voip_event old;
    memset(&old, 0x5a, sizeof old);
    const voip_event untouched = old;
    old.size = offsetof(voip_event, count);
    do {
        must(voip_node_next_event(alice, &old, LIMIT), "event");
    } while (old.kind != VOIP_EVENT_TEXT);
    check(strcmp(old.name, "bob") == 0, "it names the author");
    check(voip_event_text(&old, &text) == VOIP_INVALID_ARGUMENT, "it has no text");
    must(voip_event_free(&old), "event");
    check(memcmp(&old.count, &untouched.count, sizeof old - offsetof(voip_event, count)) == 0, "untouched");

    must(voip_node_free(alice), "alice");
    must(voip_node_free(bob), "bob");
    bob = start("bob", NULL, argv[1]);
    check(last_of(bob, VOIP_AUDIENCE_ALL, "", NULL, &text) == 2, "both were kept");
    check(last_of(bob, VOIP_AUDIENCE_ALL, "", &text.id, &text) == 1, "in their order");
    check(strcmp(text.text, longest) == 0, "as they were");
    must(voip_node_connect(bob, address), "connect");
    must(voip_node_free(bob), "bob");
    puts("texts came, and were kept");
    return 0;
}
