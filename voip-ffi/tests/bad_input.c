/* Calls the library in every wrong way: those that tests/bad_input.rs made up from the header, and those
 * that need a story. Prints how many, and stops at the first one that is not answered as it should be. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "voip.h"

#define LIMIT 10000 /* ms; nothing here takes so long */
#define END_OF(type, member) (offsetof(type, member) + sizeof(((type *)0)->member))

static int tried;

static void expect(int line, const char *call, voip_status wanted, const char *word,
                   voip_status got)
{
    tried++;
    if (got != wanted || strstr(got == VOIP_OK ? "" : voip_last_error(), word) == NULL) {
        fprintf(stderr, "%d: %s\n  gave %s, \"%s\"; expected %s, \"%s\"\n", line, call,
                voip_status_name(got), voip_last_error(), voip_status_name(wanted), word);
        exit(1);
    }
}

#define EXPECT(status, word, call) expect(__LINE__, #call, status, word, call)
#define FINE(call) EXPECT(VOIP_OK, "", call)
#define INVALID(word, call) EXPECT(VOIP_INVALID_ARGUMENT, word, call)
#define EXPECT_TEXT(text, call) \
    expect(__LINE__, #call, VOIP_OK, "", strcmp(text, call) == 0 ? VOIP_OK : VOIP_INTERNAL)

/* Valid ones. */
static voip_node *the_voip_node;
static voip_node_builder *the_voip_node_builder;
static voip_call *the_voip_call;
static voip_contact_list *the_voip_contact_list;
static voip_peer_list *the_voip_peer_list;
static voip_device_list *the_voip_device_list;
static voip_report *the_voip_report;
static voip_text_list *the_voip_text_list;
static voip_tracker *the_voip_tracker;
static voip_tracker_builder *the_voip_tracker_builder;

/* Freed ones. */
static voip_node *freed_voip_node;
static voip_node_builder *freed_voip_node_builder;
static voip_call *freed_voip_call;
static voip_contact_list *freed_voip_contact_list;
static voip_peer_list *freed_voip_peer_list;
static voip_device_list *freed_voip_device_list;
static voip_report *freed_voip_report;
static voip_text_list *freed_voip_text_list;
static voip_tracker *freed_voip_tracker;
static voip_tracker_builder *freed_voip_tracker_builder;

static voip_audio_device a_voip_audio_device;
static voip_call_peer a_voip_call_peer;
static voip_call_stats a_voip_call_stats;
static voip_check a_voip_check;
static voip_contact a_voip_contact;
static voip_device_stats a_voip_device_stats;
static voip_event a_voip_event;
static voip_jitter_second a_voip_jitter_second;
static voip_node_stats a_voip_node_stats;
static voip_peer a_voip_peer;
static voip_text a_voip_text;
static voip_text_id a_voip_text_id;
static voip_tracker_event a_voip_tracker_event;
static voip_tracker_stats a_voip_tracker_stats;

static const char some_id[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
static _Alignas(64) char place[4096];

/* After a failed write: "written", which is at place, is 0 whatever was there. */
static void none_written(int line)
{
    size_t written;
    memcpy(&written, place, sizeof written);
    if (written != 0) {
        fprintf(stderr, "%d: written is %zu after a failure\n", line, written);
        exit(1);
    }
    memset(place, 7, sizeof written);
}

#define NONE_WRITTEN() none_written(__LINE__)

/* The struct, which now says that it has this size. */
static void *sized(void *of, size_t size)
{
    memcpy(of, &size, sizeof size);
    return of;
}

static voip_tracker *start_tracker(void)
{
    voip_tracker_builder *builder;
    voip_tracker *tracker;
    FINE(voip_tracker_builder_new(&builder));
    FINE(voip_tracker_builder_bind(builder, "127.0.0.1:0"));
    FINE(voip_tracker_builder_tls_self_signed(builder, "bad_input.pem"));
    FINE(voip_tracker_builder_start(builder, &tracker));
    FINE(voip_tracker_builder_free(builder));
    return tracker;
}

static voip_node_builder *describe_node(const char *name)
{
    char at[VOIP_ADDRESS_SIZE], key[VOIP_ID_SIZE], address[VOIP_TEXT_SIZE];
    voip_node_builder *builder;
    FINE(voip_tracker_address(the_voip_tracker, at, sizeof at));
    FINE(voip_tracker_key_sha256(the_voip_tracker, key, sizeof key));
    snprintf(address, sizeof address, "tls://%s#sha256=%s", at, key);
    FINE(voip_node_builder_new(name, &builder));
    FINE(voip_node_builder_bind(builder, "127.0.0.1:0"));
    FINE(voip_node_builder_tracker(builder, address));
    FINE(voip_node_builder_audio_manual(builder, 48000));
    FINE(voip_node_builder_mesh(builder, true));
    return builder;
}

static voip_node *start_node(const char *name)
{
    voip_node_builder *builder = describe_node(name);
    voip_node *node;
    FINE(voip_node_builder_start(builder, &node));
    FINE(voip_node_builder_free(builder));
    FINE(voip_node_wait_registered(node, LIMIT));
    return node;
}

/* The doctor finds nothing bad at a tracker on this machine. */
static voip_report *a_report(void)
{
    static char json[16384];
    char address[VOIP_ADDRESS_SIZE];
    voip_report *report;
    voip_check check = { .size = sizeof check };
    size_t count, trackers = 0;
    bool good;
    FINE(voip_tracker_address(the_voip_tracker, address, sizeof address));
    FINE(voip_doctor(address, "off", "off", 10000, &report));
    FINE(voip_report_count(report, &count));
    FINE(voip_report_is_good(report, &good));
    FINE(voip_report_to_json(report, json, sizeof json));
    for (size_t i = 0; i < count; i++) {
        FINE(voip_report_get(report, i, &check));
        trackers += check.what == VOIP_CHECK_KIND_TRACKER && check.verdict == VOIP_VERDICT_GOOD &&
                    strcmp(check.subject, address) == 0 && *check.measured && !*check.advice;
    }
    EXPECT_TEXT("tracker", voip_check_kind_describe(VOIP_CHECK_KIND_TRACKER));
    EXPECT_TEXT("good", voip_verdict_describe(VOIP_VERDICT_GOOD));
    EXPECT_TEXT("the microphone there is muted", voip_silence_reason_describe(VOIP_SILENCE_REASON_MUTED));
    expect(__LINE__, "the report", VOIP_OK, "",
           good && trackers == 1 && strstr(json, "loopback_call") ? VOIP_OK : VOIP_INTERNAL);
    return report;
}

static void start(void)
{
    the_voip_tracker = start_tracker();
    the_voip_node = start_node("alice");
    FINE(voip_node_builder_new("x", &the_voip_node_builder));
    FINE(voip_tracker_builder_new(&the_voip_tracker_builder));
    FINE(voip_node_place(the_voip_node, "nobody", &the_voip_call));
    FINE(voip_node_contacts(the_voip_node, &the_voip_contact_list));
    FINE(voip_node_peers(the_voip_node, LIMIT, &the_voip_peer_list));
    FINE(voip_devices(LIMIT, &the_voip_device_list));
    the_voip_report = a_report();
    FINE(voip_node_history(the_voip_node, VOIP_AUDIENCE_ALL, NULL, NULL, 10, LIMIT, &the_voip_text_list));
    memcpy(a_voip_text_id.author, some_id, sizeof some_id);

    freed_voip_tracker = start_tracker();
    FINE(voip_tracker_free(freed_voip_tracker));
    freed_voip_node = start_node("carol");
    FINE(voip_node_free(freed_voip_node));
    FINE(voip_node_builder_new("x", &freed_voip_node_builder));
    FINE(voip_node_builder_free(freed_voip_node_builder));
    FINE(voip_tracker_builder_new(&freed_voip_tracker_builder));
    FINE(voip_tracker_builder_free(freed_voip_tracker_builder));
    FINE(voip_call_clone(the_voip_call, &freed_voip_call));
    FINE(voip_call_free(freed_voip_call));
    FINE(voip_node_contacts(the_voip_node, &freed_voip_contact_list));
    FINE(voip_contact_list_free(freed_voip_contact_list));
    FINE(voip_node_peers(the_voip_node, LIMIT, &freed_voip_peer_list));
    FINE(voip_peer_list_free(freed_voip_peer_list));
    FINE(voip_devices(LIMIT, &freed_voip_device_list));
    FINE(voip_device_list_free(freed_voip_device_list));
    freed_voip_report = a_report();
    FINE(voip_report_free(freed_voip_report));
    FINE(voip_node_history(the_voip_node, VOIP_AUDIENCE_ROOM, "x", NULL, 10, LIMIT, &freed_voip_text_list));
    FINE(voip_text_list_free(freed_voip_text_list));
}

static void finish(void)
{
    FINE(voip_device_list_free(the_voip_device_list));
    FINE(voip_report_free(the_voip_report));
    FINE(voip_text_list_free(the_voip_text_list));
    FINE(voip_contact_list_free(the_voip_contact_list));
    FINE(voip_peer_list_free(the_voip_peer_list));
    FINE(voip_call_free(the_voip_call));
    FINE(voip_tracker_builder_free(the_voip_tracker_builder));
    FINE(voip_node_builder_free(the_voip_node_builder));
    FINE(voip_node_free(the_voip_node));
    FINE(voip_tracker_free(the_voip_tracker));
}

static void every_function(void)
{
    memset(place, 7, sizeof place);
#include "bad_input_cases.h"
}

static void after_fork(void)
{
    pid_t child = fork();
    if (child == 0) {
        alarm(30);
#include "bad_input_cases_after_fork.h"
        /* Not promised, but so it is where allocation survives a fork. */
        voip_node_builder *builder;
        voip_node *node;
        FINE(voip_node_builder_new("child", &builder));
        FINE(voip_node_builder_bind(builder, "127.0.0.1:0"));
        FINE(voip_node_builder_start(builder, &node));
        FINE(voip_node_free(node));
        FINE(voip_node_builder_free(builder));
        EXPECT(VOIP_CLOSED, "has been freed", voip_node_free(node));
        _exit(0);
    }
    int status = 1;
    waitpid(child, &status, 0);
    if (child < 0 || status != 0) {
        fprintf(stderr, "the child ended with %d\n", status);
        exit(1);
    }
    FINE(voip_node_name(the_voip_node, place, sizeof place));
}

static void start_fails(voip_node_builder *builder, voip_status status, const char *word)
{
    voip_node *node;
    EXPECT(status, word, voip_node_builder_start(builder, &node));
    FINE(voip_node_builder_free(builder));
}

static void node_of_name(const char *name)
{
    voip_node_builder *builder;
    FINE(voip_node_builder_new(name, &builder));
    start_fails(builder, VOIP_INVALID_ARGUMENT, "name");
}

static void names(void)
{
    char long_name[66];
    memset(long_name, 'x', 65);
    long_name[65] = 0;
    voip_call *call;
    static const char *const bad[] = { "", " bob", "bob ", "bo\nb", "bo\x7f", "bo\xe2\x80\x8b" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        node_of_name(bad[i]);
        INVALID("name", voip_node_place(the_voip_node, bad[i], &call));
        INVALID("name", voip_node_accept_key(the_voip_node, bad[i], some_id));
    }
    node_of_name(long_name);
    INVALID("name", voip_node_place(the_voip_node, long_name, &call));
    INVALID("itself", voip_node_place(the_voip_node, "alice", &call));
    INVALID("hexadecimal", voip_node_accept_key(the_voip_node, "bob", "0011"));
    INVALID("hexadecimal", voip_node_accept_key(the_voip_node, "bob", ""));
}

static void ranges(void)
{
    static const uint32_t rates[] = { 0, 1, 7999, 192001, UINT32_MAX };
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        voip_node_builder *builder = describe_node("x");
        FINE(voip_node_builder_audio_manual(builder, rates[i]));
        start_fails(builder, VOIP_INVALID_ARGUMENT, "audio");
    }
    static const uint32_t times[] = { 0, 999, 600001, UINT32_MAX };
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        voip_node_builder *builder = describe_node("x");
        FINE(voip_node_builder_ring_timeout(builder, times[i]));
        start_fails(builder, VOIP_INVALID_ARGUMENT, "ring_timeout");
    }
    static const uint32_t calls[] = { 0, 33, UINT32_MAX };
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        voip_node_builder *builder = describe_node("x");
        FINE(voip_node_builder_max_calls(builder, calls[i]));
        start_fails(builder, VOIP_INVALID_ARGUMENT, "max_calls");
    }
    static const char *const trackers[] = { "", "x", "x:", "x:0", ":1", "x:70000", "http://x:1" };
    for (size_t i = 0; i < sizeof trackers / sizeof *trackers; i++) {
        voip_node_builder *builder = describe_node("x");
        FINE(voip_node_builder_tracker(builder, trackers[i]));
        start_fails(builder, VOIP_INVALID_ARGUMENT, "tracker");
    }
    voip_node_builder *builder = describe_node("x");
    INVALID("bitrate", voip_node_builder_encoder_bitrate(builder, 5999));
    INVALID("bitrate", voip_node_builder_encoder_bitrate(builder, 510001));
    INVALID("complexity", voip_node_builder_encoder_complexity(builder, 11));
    INVALID("complexity", voip_node_builder_encoder_complexity(builder, 256));
    INVALID("expected_loss", voip_node_builder_encoder_expected_loss(builder, 101));
    INVALID("expected_loss", voip_node_builder_encoder_expected_loss(builder, 256));
    INVALID("min_delay", voip_node_builder_jitter(builder, 2, 1));
    INVALID("max_delay", voip_node_builder_jitter(builder, 0, 601));
    INVALID("quality", voip_node_builder_jitter_quality(builder, 1001));
    FINE(voip_node_builder_bind(builder, "nowhere"));
    start_fails(builder, VOIP_INVALID_ARGUMENT, "bind");
    builder = describe_node("x");
    FINE(voip_node_builder_identity_file(builder, "/dev/null/file"));
    start_fails(builder, VOIP_FILE, "/dev/null/file");
    builder = describe_node("x");
    FINE(voip_node_builder_audio_wav(builder, "/dev/null/file", NULL));
    start_fails(builder, VOIP_FILE, "/dev/null/file");

    voip_tracker_builder *bad_tracker;
    voip_tracker *tracker;
    FINE(voip_tracker_builder_new(&bad_tracker));
    FINE(voip_tracker_builder_bind(bad_tracker, "nowhere"));
    INVALID("bind", voip_tracker_builder_start(bad_tracker, &tracker));
    FINE(voip_tracker_builder_free(bad_tracker));

    INVALID("beyond", voip_contact_list_get(the_voip_contact_list, 0,
                                            sized(&a_voip_contact, sizeof a_voip_contact)));
    INVALID("name", voip_node_set_contact(the_voip_node, "", some_id, VOIP_CONTACT_STATE_SEEN));
    INVALID("peer id", voip_node_set_contact(the_voip_node, "x", "x", VOIP_CONTACT_STATE_SEEN));
    INVALID("peer id", voip_node_safety_number(the_voip_node, "x", place, sizeof place));
    INVALID("beyond", voip_peer_list_get(the_voip_peer_list, 1000,
                                         sized(&a_voip_peer, sizeof a_voip_peer)));
    INVALID("beyond", voip_report_get(the_voip_report, 1000,
                                      sized(&a_voip_check, sizeof a_voip_check)));
    INVALID("limit", voip_doctor("", "off", "off", 10, &freed_voip_report));
    INVALID("beyond", voip_device_list_get(the_voip_device_list, SIZE_MAX,
                                           sized(&a_voip_audio_device, sizeof a_voip_audio_device)));
}

/* A handle that has been freed twice, and an event. */
static void freed_twice(void)
{
    voip_call *call;
    FINE(voip_call_clone(the_voip_call, &call));
    FINE(voip_call_free(call));
    EXPECT(VOIP_CLOSED, "has been freed", voip_call_free(call));
    voip_call *next; /* the same row of the table, and yet another handle */
    FINE(voip_call_clone(the_voip_call, &next));
    EXPECT(VOIP_CLOSED, "has been freed", voip_call_free(call));
    FINE(voip_call_free(next));

    voip_event event;
    event.size = sizeof event;
    FINE(voip_node_next_event(the_voip_node, &event, LIMIT));
    FINE(voip_event_free(&event));
    FINE(voip_event_free(&event));
    memset(&event, 0xa5, sizeof event);
    event.size = sizeof event;
    INVALID("that is no call", voip_event_free(&event));
    /* One that never came. */
    memset(&event, 0xa5, sizeof event);
    event.size = sizeof event;
    EXPECT(VOIP_CLOSED, "has been freed", voip_node_next_event(freed_voip_node, &event, LIMIT));
    if (event.kind != VOIP_EVENT_NONE || event.call != NULL) {
        fprintf(stderr, "an event that never came is %d\n", (int)event.kind);
        exit(1);
    }
    FINE(voip_event_free(&event));
}

static void text_fails(voip_status status, const char *word, voip_audience to, const char *whom,
                       const char *message)
{
    EXPECT(status, word, voip_node_send_text(the_voip_node, to, whom, message, LIMIT, NULL));
}

static void texts(void)
{
    static char long_text[VOIP_LONG_TEXT_SIZE + 1];
    char id[VOIP_ID_SIZE];
    memset(long_text, 'x', sizeof long_text - 1);
    FINE(voip_node_id(the_voip_node, id, sizeof id));
    text_fails(VOIP_INVALID_ARGUMENT, "nobody else", VOIP_AUDIENCE_ALL, "general", "x");
    text_fails(VOIP_INVALID_ARGUMENT, "NULL", VOIP_AUDIENCE_PEER, NULL, "x");
    text_fails(VOIP_INVALID_ARGUMENT, "room", VOIP_AUDIENCE_ROOM, "", "x");
    text_fails(VOIP_INVALID_ARGUMENT, "room", VOIP_AUDIENCE_ROOM, "a\nb", "x");
    text_fails(VOIP_INVALID_ARGUMENT, "hexadecimal", VOIP_AUDIENCE_PEER, "bob", "x");
    text_fails(VOIP_INVALID_ARGUMENT, "oneself", VOIP_AUDIENCE_PEER, id, "x");
    text_fails(VOIP_INVALID_ARGUMENT, "text", VOIP_AUDIENCE_ALL, NULL, "");
    text_fails(VOIP_INVALID_ARGUMENT, "text", VOIP_AUDIENCE_ALL, NULL, "\x1b");
    text_fails(VOIP_INVALID_ARGUMENT, "text", VOIP_AUDIENCE_ALL, NULL, long_text);
    INVALID("host:port", voip_node_connect(the_voip_node, "nowhere"));
    INVALID("beyond", voip_text_list_get(the_voip_text_list, 0, sized(&a_voip_text, sizeof a_voip_text)));

    /* An author that has no end, and one that is none. */
    voip_text_list *list;
    voip_text_id before;
    memset(&before, 'a', sizeof before);
    INVALID("author", voip_node_history(the_voip_node, VOIP_AUDIENCE_ALL, "", &before, 1, LIMIT, &list));
    memset(&before, 0, sizeof before);
    INVALID("author", voip_node_history(the_voip_node, VOIP_AUDIENCE_ALL, "", &before, 1, LIMIT, &list));

    /* Events of something else, and of a program that does not know of texts. */
    voip_event event;
    memset(&event, 0, sizeof event);
    event.size = sizeof event;
    INVALID("not that of a text", voip_event_text(&event, sized(&a_voip_text, sizeof a_voip_text)));
    INVALID("not that of texts", voip_event_text_id(&event, 0, &before));
    event.texts = (voip_event_texts *)place;
    INVALID("that is no event of texts", voip_event_text(&event, sized(&a_voip_text, sizeof a_voip_text)));
    INVALID("that is no event of texts", voip_event_text_id(&event, 0, &before));
    event.size = END_OF(voip_event, device_name);
    INVALID("not that of a text", voip_event_text(&event, sized(&a_voip_text, sizeof a_voip_text)));
    FINE(voip_event_free(&event));

    voip_node_builder *builder;
    voip_node *outside;
    FINE(voip_node_builder_new("outside", &builder));
    FINE(voip_node_builder_bind(builder, "127.0.0.1:0"));
    FINE(voip_node_builder_start(builder, &outside));
    EXPECT(VOIP_INVALID_STATE, "mesh", voip_node_connect(outside, "127.0.0.1:9"));
    EXPECT(VOIP_INVALID_STATE, "mesh",
           voip_node_send_text(outside, VOIP_AUDIENCE_ALL, NULL, "x", LIMIT, NULL));
    EXPECT(VOIP_INVALID_STATE, "mesh",
           voip_node_history(outside, VOIP_AUDIENCE_ALL, NULL, NULL, 1, LIMIT, &list));
    FINE(voip_node_free(outside));
    FINE(voip_node_builder_connect(builder, "nowhere"));
    start_fails(builder, VOIP_INVALID_ARGUMENT, "connect");
    builder = describe_node("x");
    FINE(voip_node_builder_history_file(builder, "/dev/null/file"));
    start_fails(builder, VOIP_FILE, "/dev/null/file");
}

static voip_call *wait_for_call(voip_node *node)
{
    voip_event event;
    event.size = sizeof event;
    do {
        FINE(voip_node_next_event(node, &event, LIMIT));
    } while (event.kind != VOIP_EVENT_INCOMING);
    return event.call;
}

/* What a call that is over still says. */
static void over(voip_call *call, voip_status status, voip_end_reason why)
{
    float sound[480] = { 0 };
    size_t written = 7;
    voip_call_state state;
    voip_end_reason reason;
    FINE(voip_call_wait_ended(call, LIMIT, &reason));
    FINE(voip_call_get_state(call, &state, &reason));
    if (state != VOIP_CALL_STATE_ENDED || reason != why) {
        fprintf(stderr, "state %d, reason %d\n", (int)state, (int)reason);
        exit(1);
    }
    EXPECT(status, "", voip_call_write_f32(call, sound, 480, LIMIT, &written));
    EXPECT(status, "", voip_call_read_f32(call, sound, 480, LIMIT));
    EXPECT(status, "", voip_call_answer(call));
    EXPECT(status, "", voip_call_reject(call, VOIP_REJECT_BUSY));
    EXPECT(status, "", voip_call_wait_connected(call, LIMIT));
    EXPECT(VOIP_OK, "", voip_call_get_stats(call, sized(&a_voip_call_stats, sizeof a_voip_call_stats)));
    EXPECT(VOIP_INVALID_ARGUMENT, "ago", voip_call_get_second(call, 60, sized(&a_voip_jitter_second,
                                                                              sizeof a_voip_jitter_second)));
    if (written != 0) {
        fprintf(stderr, "written: %zu\n", written);
        exit(1);
    }
    voip_call_hang_up(call);
    voip_call_set_muted(call, true);
}

static void calls_in_wrong_states(void)
{
    voip_node *bob = start_node("bob");
    voip_call *out, *in;
    float sound[480] = { 0 };
    size_t written;
    /* One that rings there, not here. */
    FINE(voip_node_place(the_voip_node, "bob", &out));
    EXPECT(VOIP_INVALID_STATE, "ring", voip_call_answer(out));
    EXPECT(VOIP_INVALID_STATE, "ring", voip_call_reject(out, VOIP_REJECT_DECLINED));
    in = wait_for_call(bob);
    FINE(voip_call_answer(in));
    FINE(voip_call_wait_connected(out, LIMIT));
    FINE(voip_call_wait_connected(in, LIMIT));
    /* Nothing at all. */
    FINE(voip_call_write_f32(out, NULL, 0, 0, &written));
    FINE(voip_call_write_i16(out, NULL, 0, 0, &written));
    FINE(voip_call_read_f32(out, NULL, 0, 0));
    FINE(voip_call_read_i16(out, NULL, 0, 0));
    FINE(voip_call_hang_up(out));
    over(out, VOIP_CALL_ENDED, VOIP_END_REASON_HUNG_UP);
    over(in, VOIP_CALL_ENDED, VOIP_END_REASON_PEER_HUNG_UP);
    FINE(voip_call_free(out));
    FINE(voip_call_free(in));
    /* One that rings while its node is closed, and then freed. */
    FINE(voip_node_place(bob, "alice", &out));
    FINE(voip_node_close(bob));
    FINE(voip_node_close(bob));
    over(out, VOIP_CLOSED, VOIP_END_REASON_NODE_CLOSED);
    EXPECT(VOIP_CLOSED, "closed", voip_node_place(bob, "alice", &in));
    EXPECT(VOIP_CLOSED, "closed", voip_node_wait_registered(bob, LIMIT));
    FINE(voip_node_name(bob, place, sizeof place));
    FINE(voip_node_free(bob));
    over(out, VOIP_CLOSED, VOIP_END_REASON_NODE_CLOSED);
    EXPECT(VOIP_CLOSED, "", voip_call_write_f32(out, sound, 480, LIMIT, &written));
    FINE(voip_call_free(out));
}

static void other_audio(void)
{
    voip_node_builder *builder = describe_node("dave");
    voip_node *dave;
    voip_call *call;
    float sound[480];
    int descriptor;
    size_t written;
    FINE(voip_node_builder_audio_null(builder));
    FINE(voip_node_builder_start(builder, &dave));
    FINE(voip_node_builder_free(builder));
    FINE(voip_node_place(dave, "alice", &call));
    memset(sound, 0, sizeof sound);
    EXPECT(VOIP_INVALID_STATE, "Manual", voip_call_write_f32(call, sound, 480, LIMIT, &written));
    EXPECT(VOIP_INVALID_STATE, "Manual", voip_call_read_f32(call, sound, 480, LIMIT));
    EXPECT(VOIP_INVALID_STATE, "Manual", voip_call_pcm_descriptor(call, &descriptor));
    EXPECT(VOIP_INVALID_STATE, "cards",
           voip_node_choose_device(dave, VOIP_DEVICE_DIRECTION_INPUT, "default"));
    EXPECT(VOIP_INVALID_STATE, "device",
           voip_node_device_stats(dave, VOIP_DEVICE_DIRECTION_INPUT,
                                  sized(&a_voip_device_stats, sizeof a_voip_device_stats)));
    FINE(voip_call_free(call));
    FINE(voip_node_free(dave));
}

static void struct_of_size(size_t size)
{
    const size_t known = END_OF(voip_node_stats, neighbors);
    union {
        voip_node_stats stats;
        char bytes[sizeof(voip_node_stats) + 64];
    } all;
    memset(&all, 0x5a, sizeof all);
    all.stats.size = size;
    FINE(voip_node_get_stats(the_voip_node, &all.stats));
    bool is_right = all.stats.size == size && all.stats.datagrams_dropped != 0x5a5a5a5a5a5a5a5a;
    for (size_t i = known; i < sizeof all; i++) {
        is_right = is_right && all.bytes[i] == 0x5a;
    }
    if (!is_right) {
        fprintf(stderr, "size %zu: written beyond what is known, or not at all\n", size);
        exit(1);
    }
}

/* A caller of another release has a larger struct, or a smaller one: what library or caller do not know
 * stays as it is. In a larger one new members may lie where this one ends in padding. */
static void structs_of_other_sizes(void)
{
    struct_of_size(END_OF(voip_node_stats, neighbors));
    struct_of_size(sizeof(voip_node_stats));
    struct_of_size(sizeof(voip_node_stats) + 64);
}

int main(void)
{
    start();
    every_function();
    after_fork();
    names();
    ranges();
    freed_twice();
    texts();
    calls_in_wrong_states();
    other_audio();
    structs_of_other_sizes();
    finish();
    printf("%d calls were answered as they should be\n", tried);
    return 0;
}
