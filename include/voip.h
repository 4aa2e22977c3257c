/* voip 0.1.0: peer-to-peer voice calls.
 *
 * A node (voip_node) has a name and a key, registers at one or more trackers, calls and is
 * called; a tracker (voip_tracker) is where nodes find each other and hears nothing of what they
 * say. The way of a program, from top to bottom, without its checks:
 *
 *     voip_node_builder_new("alice", &builder);
 *     voip_node_builder_tracker(builder, "tracker.example.org:6000");
 *     voip_node_builder_audio_devices(builder, "default", "default");
 *     voip_node_builder_start(builder, &node);
 *     voip_node_builder_free(builder);
 *     voip_node_wait_registered(node, 5000);
 *     voip_node_call(node, "bob", VOIP_FOREVER, &call);
 *     voip_call_wait_ended(call, VOIP_FOREVER, NULL);
 *     voip_call_free(call);
 *     voip_node_free(node);
 *
 * Whoever is called asks voip_node_next_event until VOIP_EVENT_INCOMING comes, answers with
 * voip_call_answer and keeps the handle. A call in 20 lines is in README.md, whole programs are
 * in examples/c.
 *
 * Status. Every function that can fail returns a voip_status: VOIP_OK, which is 0, or what
 * went wrong. After a failure results are left as they were, unless the function says otherwise,
 * and voip_last_error has the words for it. Whatever a function's own list says, it may also
 * return VOIP_INVALID_ARGUMENT for a pointer that is NULL or a text that is not UTF-8,
 * VOIP_CLOSED for a handle that was freed, a node or tracker that was closed, or in another
 * process, VOIP_SYSTEM where it makes a handle and there are too many, and VOIP_INTERNAL, which
 * is a bug of the library.
 *
 * Handles. voip_node *, voip_call * and the other opaque types are not addresses but tickets,
 * which the library checks: one that was freed gives VOIP_CLOSED; NULL, one of another type and
 * any other pointer give VOIP_INVALID_ARGUMENT. Whoever got a handle frees it, once, with the
 * function named after its type; freeing returns a status, too, which may be ignored. A handle may
 * be freed while other threads are inside functions with it.
 *
 * Threads. Any function may be called from any thread, with any handle, at any time. No thread of
 * the library ever runs code of the program: what happens is told by events that are asked for.
 *
 * Blocking. Each function says what it may wait for and how long. Those with timeout_ms wait for
 * at most so many milliseconds: 0 does not wait, VOIP_FOREVER waits for a year.
 *
 * Memory. Texts and arrays that go in are copied, or done with, before the function returns. Texts
 * that come out are copied into arrays of the caller's, and zero-terminated.
 *
 * Structs that the library fills begin with size: set it to sizeof the struct before each call,
 * as in voip_event event = { .size = sizeof event };. Later releases may add members at the end,
 * and write only those that the caller's size has room for. A smaller size than the first
 * release's gives VOIP_INVALID_ARGUMENT. (voip_text_id, which never grows, has no size.)
 *
 * Versions. Numbers of enums are fixed, functions and members stay what they are; an enum may get
 * new numbers and a struct new members. What breaks a compiled program changes the number in the
 * name of the shared library (libvoip.so.0).
 *
 * After a fork the handles of the parent give VOIP_CLOSED in the child, which may call exec.
 *
 * Units. Times are milliseconds, rates hertz, levels dBFS. Sound is mono. Texts are UTF-8 and end
 * with a zero byte. A peer's id is its public key, 64 lower-case hexadecimal digits.
 *
 * Names are those of the Rust library: a getter has get_ in its name only where a type has the
 * name without.
 *
 * Generated from voip-ffi/src; do not edit. To renew it:
 *     VOIP_WRITE_HEADER=1 cargo test -p voip-ffi --test header
 */

#ifndef VOIP_H
#define VOIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Handles */

/** A node. */
typedef struct voip_node voip_node;
/** What a node is to be. */
typedef struct voip_node_builder voip_node_builder;
/** Peers as they were when they were asked for. */
typedef struct voip_peer_list voip_peer_list;
/** Contacts as they were when they were asked for. */
typedef struct voip_contact_list voip_contact_list;
/** Texts as they were when they were asked for. */
typedef struct voip_text_list voip_text_list;
/** Devices as they were when they were asked for. */
typedef struct voip_device_list voip_device_list;
/** All that voip_doctor found. */
typedef struct voip_report voip_report;
/** A call. */
typedef struct voip_call voip_call;
/** What an event says of texts. It belongs to the event: voip_event_free frees it. */
typedef struct voip_event_texts voip_event_texts;
/** A tracker. */
typedef struct voip_tracker voip_tracker;
/** What a tracker is to be. */
typedef struct voip_tracker_builder voip_tracker_builder;

/* ---- Version */

/** The version of this header, as a text and in numbers. */
#define VOIP_VERSION "0.1.0"
#define VOIP_VERSION_MAJOR 0
#define VOIP_VERSION_MINOR 1
#define VOIP_VERSION_PATCH 0

/**
 * The version of the library, as in "0.1.0"; VOIP_VERSION is that of the header. The string
 * lives as long as the library is loaded; do not free it. Does not block.
 */
const char *voip_version(void);

/* ---- Status
 *
 * Every function that can fail returns a status. The numbers are fixed. */

/** What became of a call of a function: to act on. voip_last_error has the words for people. */
typedef enum voip_status {
    /** It worked. */
    VOIP_OK = 0,
    /**
     * An argument is NULL, out of its range or not of its form; the text names it. Correct the
     * call.
     */
    VOIP_INVALID_ARGUMENT = 1,
    /** A file could not be read or written, or its contents make no sense; the text names it. */
    VOIP_FILE = 2,
    /** The address or port is taken by another program. Choose another, or 0 for any. */
    VOIP_ADDRESS_IN_USE = 3,
    /** The operating system refused a socket, a thread or a device. The text says which. */
    VOIP_SYSTEM = 4,
    /** No tracker answers. Check address and network; the node keeps trying. */
    VOIP_TRACKER_UNREACHABLE = 5,
    /**
     * Another key holds this name at the tracker. Choose another name, or use the identity file
     * that registered it.
     */
    VOIP_NAME_TAKEN = 6,
    /** No peer of that name or key is online. */
    VOIP_UNKNOWN_PEER = 7,
    /** The trackers give different keys for that name and none is pinned. Call by key. */
    VOIP_AMBIGUOUS_NAME = 8,
    /**
     * The name belongs to another key than the one pinned. Ask the person over another way, then
     * call voip_node_accept_key.
     */
    VOIP_KEY_CHANGED = 9,
    /** The peer is in another call. */
    VOIP_BUSY = 10,
    /** The peer declined. */
    VOIP_DECLINED = 11,
    /** Nobody answered within the ring time. */
    VOIP_NO_ANSWER = 12,
    /** The peer answered but no path to it was found. */
    VOIP_UNREACHABLE = 13,
    /** The path to the peer was lost. */
    VOIP_NETWORK_LOST = 14,
    /** The call is over: hung up on either side, cancelled, or never existed. */
    VOIP_CALL_ENDED = 15,
    /**
     * The time limit of this function passed. Unless the function says otherwise nothing else
     * changed: call it again.
     */
    VOIP_TIMED_OUT = 16,
    /**
     * The node or tracker was closed, the handle was freed, or it belongs to the process that
     * forked this one.
     */
    VOIP_CLOSED = 17,
    /** Not possible in this state, on this system or with this kind of audio; the text says why. */
    VOIP_INVALID_STATE = 18,
    /** The peer or the tracker broke the protocol; the text says how. */
    VOIP_PROTOCOL = 19,
    /** A bug of the library; the text says where. Please report it. The program may go on. */
    VOIP_INTERNAL = 20,
    /**
     * A tracker's certificate or key is not the one that its address asks for, so nothing was said
     * to it; the text says what does not fit. Check the address, and with an authority's certificate
     * the clock; the node keeps trying.
     */
    VOIP_TRACKER_UNTRUSTED = 21,
} voip_status;

/**
 * The text of the last failure on this thread, for people; "" before the first. It lives until the
 * next failure on this thread, or the thread's end; do not free it. Does not block.
 */
const char *voip_last_error(void);

/**
 * The name of a status, as in "no_answer" for VOIP_NO_ANSWER, for logs; "unknown" for a number
 * that is none. It lives as long as the library is loaded; do not free it. Does not block.
 */
const char *voip_status_name(voip_status status);

/* ---- Node
 *
 * One participant: one name and key, one port, its trackers, its calls. */

/** No time limit worth the name: a year. */
#define VOIP_FOREVER UINT32_MAX

/** Room for any name: 64 bytes and a zero. */
#define VOIP_NAME_SIZE 65

/** Room for the id of a peer: 64 hexadecimal digits and a zero. */
#define VOIP_ID_SIZE 65

/** Room for any "ip:port" and a zero. */
#define VOIP_ADDRESS_SIZE 64

/**
 * The name, into name, which has room for capacity bytes: VOIP_NAME_SIZE is enough. Does not
 * block.
 */
voip_status voip_node_name(const voip_node *node, char *name, size_t capacity);

/**
 * The key, 64 hexadecimal digits, into id, which has room for capacity bytes: VOIP_ID_SIZE
 * is enough. Does not block.
 */
voip_status voip_node_id(const voip_node *node, char *id, size_t capacity);

/**
 * The local UDP address "ip:port", of the IPv4 socket if there are two, into address, which has
 * room for capacity bytes: VOIP_ADDRESS_SIZE is enough. Does not block.
 */
voip_status voip_node_local_address(const voip_node *node, char *address, size_t capacity);

/**
 * Waits until one tracker has accepted this node, for at most timeout_ms.
 *
 * When that has passed, the reason of the last refusal (VOIP_TRACKER_UNREACHABLE ...), or
 * VOIP_TIMED_OUT; the node keeps trying. VOIP_NAME_TAKEN is returned at once, and
 * so is VOIP_TRACKER_UNTRUSTED if there is no other tracker.
 */
voip_status voip_node_wait_registered(const voip_node *node, uint32_t timeout_ms);

/**
 * Calls somebody: a name, or a key of 64 hexadecimal digits. Does not block: what becomes of the
 * call is told by events and by voip_call_wait_answered. The handle is freed with
 * voip_call_free.
 *
 * Errors: VOIP_INVALID_ARGUMENT for what is no name, or this node's own; VOIP_CLOSED.
 */
voip_status voip_node_place(const voip_node *node, const char *target, voip_call **call);

/**
 * Calls somebody, as voip_node_place; the call rings for ring_timeout_ms, 1,000 to 600,000, and
 * not for as long as the node's others. (The peer's program has a limit of its own.) Does not
 * block.
 *
 * Errors: as voip_node_place; VOIP_INVALID_ARGUMENT for a time out of this range.
 */
voip_status voip_node_place_for(const voip_node *node,
                                const char *target,
                                uint32_t ring_timeout_ms,
                                voip_call **call);

/**
 * Calls somebody, as voip_node_place, and waits for the answer for at most timeout_ms. The
 * handle is freed with voip_call_free.
 *
 * Errors: as voip_node_place and voip_call_wait_answered; after each the call is over, and
 * there is no handle. VOIP_TIMED_OUT: it was hung up. For VOIP_NO_ANSWER wait longer than it
 * rings, which is 45 s unless voip_node_builder_ring_timeout says otherwise: VOIP_FOREVER will
 * do.
 */
voip_status voip_node_call(const voip_node *node,
                           const char *target,
                           uint32_t timeout_ms,
                           voip_call **call);

/**
 * Waits for somebody who waits for somebody, too, at any of the trackers: they are handed to each
 * other, first come, first served, and VOIP_EVENT_PAIRED tells both. Does not block; does
 * nothing if the node waits already. It waits until somebody comes or voip_node_unpair, and
 * again at a tracker that was lost and is back.
 *
 * Nothing else happens by itself: the side whose event says calls calls the other's key with
 * voip_node_place, and the other lets itself be called. Whoever is not called within ten seconds
 * should ask again: the other may have met somebody at another tracker, given up, or blocked this
 * node. Whom this node has blocked, strangers with voip_node_builder_contacts_only and names
 * pinned to other keys are passed over: it asks again by itself after one to three seconds.
 *
 * VOIP_EVENT_PAIRING_FAILED tells that the node has no tracker (VOIP_TRACKER_UNREACHABLE), or
 * that all are of older versions, which cannot pair (VOIP_INVALID_STATE).
 *
 * Errors: VOIP_CLOSED.
 */
voip_status voip_node_pair(const voip_node *node);

/**
 * Waits for nobody any more. Nothing happens if it did not. A VOIP_EVENT_PAIRED may be among the
 * events already. Does not block.
 *
 * Errors: VOIP_CLOSED.
 */
voip_status voip_node_unpair(const voip_node *node);

/**
 * Accepts that name now belongs to the key id, as VOIP_EVENT_KEY_CHANGED offered it. Ask the
 * person over another way first. Its owner stays a contact, or blocked; but is not verified any
 * more. Does not block.
 *
 * Errors: VOIP_INVALID_ARGUMENT for what is no name or no key; VOIP_INVALID_STATE when 65,536
 * names are pinned; VOIP_CLOSED.
 */
voip_status voip_node_accept_key(const voip_node *node, const char *name, const char *id);

/**
 * A descriptor that is readable while events wait, for poll, epoll and event loops, and when the
 * node has been closed. Only to wait on: read the events with voip_node_next_event until it
 * returns VOIP_TIMED_OUT. It belongs to the node and is gone when that is freed. Does not block.
 *
 * Errors: VOIP_INVALID_STATE on systems that are no Unix.
 */
voip_status voip_node_event_descriptor(const voip_node *node, int *descriptor);

/**
 * Makes the event descriptor unreadable until one more event comes, though some wait: for event
 * loops that wait for what an event changes, such as the state of a call, and leave the events to
 * others. was_readable: whether it was, so that the loop has to tell whoever else waits for it.
 * Does not block.
 *
 * Errors: VOIP_INVALID_STATE on systems that are no Unix.
 */
voip_status voip_node_rest_event_descriptor(const voip_node *node, bool *was_readable);

/**
 * Ends all calls, leaves the trackers and stops; the handle stays. Threads that wait in functions
 * with it return. Twice is once. Blocks for at most 500 ms.
 */
voip_status voip_node_close(const voip_node *node);

/** Whether the node was closed. Does not block. */
voip_status voip_node_is_closed(const voip_node *node, bool *closed);

/**
 * Closes the node, as voip_node_close, and frees its handle. Handles of its calls, which are
 * over now, stay valid: free each with voip_call_free. Blocks for at most 500 ms.
 */
voip_status voip_node_free(voip_node *node);

/* ---- Describing a node
 *
 * A builder holds what a node is to be; each function sets one thing. Ranges are checked at once
 * where they are given below, the rest by voip_node_builder_start. None of them blocks but that
 * one. A builder can start several nodes. */

/**
 * A quality for voip_node_builder_jitter_quality: for playing music together. What is late by more
 * than a little is rather made up.
 */
#define VOIP_JITTER_LOWEST_DELAY 10

/**
 * A quality for voip_node_builder_jitter_quality: for listening. Next to nothing is made up that any
 * delay allowed by voip_node_builder_jitter saves.
 */
#define VOIP_JITTER_NEVER_A_GAP 300

/** How much sound one packet carries; the numbers are milliseconds. */
typedef enum voip_frame_duration {
    /** 10 ms: least delay, most overhead. */
    VOIP_FRAME_DURATION_MS10 = 10,
    /** 20 ms, the usual choice and the default. */
    VOIP_FRAME_DURATION_MS20 = 20,
    /** 40 ms. */
    VOIP_FRAME_DURATION_MS40 = 40,
    /** 60 ms: least overhead. */
    VOIP_FRAME_DURATION_MS60 = 60,
} voip_frame_duration;

/** What the encoder should optimise for (RFC 6716, section 2.1). */
typedef enum voip_application {
    /** Intelligible speech; the default. */
    VOIP_APPLICATION_VOIP = 0,
    /** Faithful sound of any kind. */
    VOIP_APPLICATION_AUDIO = 1,
    /** 2.5 ms of look-ahead in place of 6.5, and no in-band FEC. */
    VOIP_APPLICATION_LOW_DELAY = 2,
} voip_application;

/**
 * Begins to describe a node. name: 1 to 64 bytes of UTF-8, none of them of a character that
 * cannot be seen, no space at either end; checked by voip_node_builder_start. The handle is
 * freed with voip_node_builder_free. Does not block.
 */
voip_status voip_node_builder_new(const char *name, voip_node_builder **builder);

/**
 * Adds a tracker. Up to 16; a node is registered at all of them. Default: none. "host:port" is plain
 * TCP, "tls://host:port" TLS 1.3 with a certificate for that host by an authority that this system
 * trusts, "tls://host:port#ca=FILE" the same by an authority in that PEM file, and
 * "tls://host:port#sha256=DIGITS" TLS 1.3 with the key of that hash, as voip_tracker_key_sha256
 * tells it. A tracker that shows another certificate or key is VOIP_TRACKER_UNTRUSTED in
 * VOIP_EVENT_TRACKER_LOST, and is tried again later.
 */
voip_status voip_node_builder_tracker(voip_node_builder *builder,
                                      const char *address);

/**
 * The local address and UDP port, "ip:port". Default "[::]:0": any free port, the same one for
 * IPv4 and IPv6. Another address serves its own family alone.
 */
voip_status voip_node_builder_bind(voip_node_builder *builder, const char *address);

/**
 * The file that holds the key; made if it is not there. Names of peers are pinned to their keys on
 * first use and kept beside it, in "<file>.pins". Without one the key lives as long as the node,
 * as do the contacts, and nothing is pinned but what voip_node_accept_key and
 * voip_node_set_contact are told.
 */
voip_status voip_node_builder_identity_file(voip_node_builder *builder, const char *path);

/**
 * Sound comes from a microphone and goes to a loudspeaker of this system, opened while calls need
 * them. input and output are each "default" (the system's default, also when that changes),
 * "off", or a device: its id, its name, or a part of its name that fits one device only. While a
 * chosen one is not there the default stands in for it. VOIP_EVENT_DEVICE_CHANGED tells which
 * are in use.
 */
voip_status voip_node_builder_audio_devices(voip_node_builder *builder,
                                            const char *input,
                                            const char *output);

/**
 * The program itself writes and reads sound, call by call: voip_call_write_f32,
 * voip_call_read_f32 and their like for 16 bits. rate: 8000 to 192000 Hz, checked by
 * voip_node_builder_start.
 */
voip_status voip_node_builder_audio_manual(voip_node_builder *builder, uint32_t rate);

/**
 * A WAV file is the microphone: play, or NULL for silence; any rate of 8 to 192 kHz, any
 * channels. It is played once in real time while calls are connected and followed by digital
 * silence. What is heard is recorded to record, 48 kHz mono 16 bit; an existing file is
 * replaced; NULL for no recording.
 */
voip_status voip_node_builder_audio_wav(voip_node_builder *builder,
                                        const char *play,
                                        const char *record);

/**
 * Says nothing and plays nothing; the default. Peers are told, truly, that there is only digital
 * silence; whoever only listens mutes the call with voip_call_set_muted.
 */
voip_status voip_node_builder_audio_null(voip_node_builder *builder);

/**
 * Whether incoming calls are answered at once. Such a call stays up until somebody hangs up,
 * though nobody may hold a handle of it. Default: no.
 */
voip_status voip_node_builder_auto_answer(voip_node_builder *builder, bool yes);

/**
 * Whether only the user's contacts may call: those that voip_node_set_contact was told are
 * accepted or verified, and whoever is being called just then. All others, a contact's name with
 * another key included, are refused as if they were blocked. Default no.
 */
voip_status voip_node_builder_contacts_only(voip_node_builder *builder, bool yes);

/**
 * How long an outgoing call rings: 1000 to 600000 ms, checked by voip_node_builder_start.
 * Default 45000.
 */
voip_status voip_node_builder_ring_timeout(voip_node_builder *builder, uint32_t timeout_ms);

/**
 * Calls at one time: 1 to 32, checked by voip_node_builder_start; one more is answered "busy".
 * Default 1.
 */
voip_status voip_node_builder_max_calls(voip_node_builder *builder, uint32_t calls);

/**
 * Adds a relay, beside those that trackers have: a TURN server (RFC 8656), as a URI of RFC 7065,
 * "turn:host[:port][?transport=udp|tcp]", or "turns:host[:port]" for TLS with a certificate that the system
 * trusts; and the name and password it wants, 1 to 508 bytes each. Up to 4, checked by voip_node_builder_start. What goes through it is as encrypted as everything between peers.
 */
voip_status voip_node_builder_turn_server(voip_node_builder *builder,
                                          const char *uri,
                                          const char *username,
                                          const char *password);

/**
 * Whether peers are to learn no address of this host: calls then go through relays only, those of the
 * trackers and of voip_node_builder_turn_server. Without one a call ends with
 * VOIP_END_REASON_UNREACHABLE. Default: no.
 */
voip_status voip_node_builder_relay_only(voip_node_builder *builder,
                                         bool yes);

/**
 * Whether to take part in the mesh of nodes that needs no tracker: the node listens for others, TCP on its
 * own port number, and is reached by them and whoever they know. Default: no, unless
 * voip_node_builder_connect names one.
 */
voip_status voip_node_builder_mesh(voip_node_builder *builder,
                                   bool yes);

/**
 * Whether a node of the mesh announces itself on its local network, key and port, and finds others there: by
 * multicast DNS (RFC 6762). Default: yes, but for a node that is bound to a loopback address.
 */
voip_status voip_node_builder_lan(voip_node_builder *builder,
                                  bool yes);

/**
 * Takes part in the mesh, and begins with the node that listens at this address, "host:port". Up to 64,
 * checked by voip_node_builder_start. One that cannot be reached is tried again, ever more seldom, up to
 * once a minute.
 */
voip_status voip_node_builder_connect(voip_node_builder *builder,
                                      const char *address);

/**
 * The file in which texts of the mesh are kept from one start to the next, those of others included; made
 * if it is not there, readable by its owner only. Texts for one peer are encrypted in it, others are not.
 * Default: none; they are kept as long as the node runs, and others have them.
 */
voip_status voip_node_builder_history_file(voip_node_builder *builder,
                                           const char *path);

/**
 * The encoder's rate: 6000 to 510000 bits per second. Default 32000: full-band speech with room
 * for FEC. A call makes less while its packets queue up.
 */
voip_status voip_node_builder_encoder_bitrate(voip_node_builder *builder, uint32_t bits_per_second);

/** The encoder's effort: 0 to 10. Default 5. */
voip_status voip_node_builder_encoder_complexity(voip_node_builder *builder, uint32_t complexity);

/** How much sound a packet carries. Default 20 ms. */
voip_status voip_node_builder_encoder_frame(voip_node_builder *builder, voip_frame_duration frame);

/**
 * In-band forward error correction: a packet carries a coarse copy of the one before (RFC 6716,
 * section 2.1.7). Default: on. While a peer reports that packets are lost in bursts, which copies cannot
 * mend, a call sends each packet twice in its place, at half the bits (RFC 2198).
 */
voip_status voip_node_builder_encoder_fec(voip_node_builder *builder,
                                          bool on);

/**
 * Discontinuous transmission: next to nothing is sent in silence (RFC 6716, section 2.1.9).
 * Default: off, so that a steady stream shows at once when a path breaks.
 */
voip_status voip_node_builder_encoder_dtx(voip_node_builder *builder, bool on);

/**
 * Packet loss to prepare for: 0 to 100 per cent. Default 10. A call prepares for more, up to 30, when
 * its peer reports more.
 */
voip_status voip_node_builder_encoder_expected_loss(voip_node_builder *builder,
                                                    uint32_t percent);

/** What the encoder should optimise for. Default VOIP_APPLICATION_VOIP. */
voip_status voip_node_builder_encoder_application(voip_node_builder *builder,
                                                  voip_application application);

/**
 * The jitter buffer's delay over the fastest packet: min_ms is kept even on a perfect line,
 * max_ms is never exceeded for long. 0 <= min_ms <= max_ms <= 600. Default 0 and 400.
 */
voip_status voip_node_builder_jitter(voip_node_builder *builder, uint32_t min_ms, uint32_t max_ms);

/**
 * What sound without gaps is worth to the jitter buffer: so many milliseconds of delay for each per
 * cent of the sound that would otherwise be made up, 0 to 1000. Default 35.
 */
voip_status voip_node_builder_jitter_quality(voip_node_builder *builder, uint32_t quality);

/**
 * Starts a node: binds its port, opens its files, and begins to register. Does not wait for the
 * trackers: see voip_node_wait_registered. Blocks for as long as the files and the system's
 * random generator do. The node's handle is freed with voip_node_free; the builder stays as it
 * is.
 *
 * Errors: VOIP_INVALID_ARGUMENT, the text names the field; VOIP_ADDRESS_IN_USE; VOIP_FILE:
 * the identity, its pins, the history or a WAV file; VOIP_SYSTEM.
 */
voip_status voip_node_builder_start(const voip_node_builder *builder, voip_node **node);

/** Frees a builder. Nodes that it started live on. Does not block. */
voip_status voip_node_builder_free(voip_node_builder *builder);

/* ---- Peers */

/** Whether a peer wants to be called. */
typedef enum voip_presence {
    /** Call me. */
    VOIP_PRESENCE_AVAILABLE = 0,
    /** In a call. */
    VOIP_PRESENCE_BUSY = 1,
    /** Online, nobody at the device. */
    VOIP_PRESENCE_AWAY = 2,
    /** Something that a later version says. */
    VOIP_PRESENCE_UNKNOWN = 3,
} voip_presence;

/** A peer as a tracker lists it; signed by the peer's own key. */
typedef struct voip_peer {
    /** In: sizeof(voip_peer). */
    size_t size;
    /** The name it registered. */
    char name[VOIP_NAME_SIZE];
    /** Its key, 64 hexadecimal digits. */
    char id[VOIP_ID_SIZE];
    /** Whether it can be called. */
    voip_presence presence;
    /** Online since, by the tracker's clock: milliseconds since 1970-01-01 UTC. */
    uint64_t since_unix_ms;
} voip_peer;

/**
 * Who is online, sorted by name: the lists of all trackers that answer and the nodes of the mesh, each
 * peer once, this node included. Waits for the trackers for at most timeout_ms. The list is freed with
 * voip_peer_list_free.
 *
 * Errors: VOIP_TRACKER_UNREACHABLE with neither, VOIP_TIMED_OUT, VOIP_CLOSED.
 */
voip_status voip_node_peers(const voip_node *node,
                            uint32_t timeout_ms,
                            voip_peer_list **list);

/** How many peers the list has. Does not block. */
voip_status voip_peer_list_count(const voip_peer_list *list, size_t *count);

/**
 * One of them, index from 0. Does not block.
 *
 * Errors: VOIP_INVALID_ARGUMENT beyond the end.
 */
voip_status voip_peer_list_get(const voip_peer_list *list, size_t index, voip_peer *peer);

/** Frees a list. Does not block. */
voip_status voip_peer_list_free(voip_peer_list *list);

/* ---- Contacts
 *
 * Who is who to the user of a node: names pinned to keys, contacts, the blocked; and the number by
 * which two people compare their keys. The words by which they check a call are in
 * voip_call_verification_words. */

/** Room for a safety number: twelve groups of five digits, the spaces between, and a zero. */
#define VOIP_SAFETY_NUMBER_SIZE 72

/** What somebody whose name is known is to this node's user. */
typedef enum voip_contact_state {
    /** The name was used in a call, and is pinned to its key since. */
    VOIP_CONTACT_STATE_SEEN = 0,
    /**
     * The user's contact: may call though there is voip_node_builder_contacts_only, and learns this
     * node's addresses while it rings, so that the answer is heard at once.
     */
    VOIP_CONTACT_STATE_ACCEPTED = 1,
    /**
     * A contact of whom the user knows that the key is theirs: words or safety numbers were
     * compared.
     */
    VOIP_CONTACT_STATE_VERIFIED = 2,
    /** Calls from this key, and from whoever goes by this name, are refused unheard. */
    VOIP_CONTACT_STATE_BLOCKED = 3,
} voip_contact_state;

/** Somebody whose name is pinned to a key. */
typedef struct voip_contact {
    /** In: sizeof(voip_contact). */
    size_t size;
    /** The name. */
    char name[VOIP_NAME_SIZE];
    /** The key it is pinned to, 64 hexadecimal digits. */
    char id[VOIP_ID_SIZE];
    /** What they are to the user. */
    voip_contact_state state;
} voip_contact;

/**
 * All whose names are pinned to keys, by name: with an identity file whoever was in a call under a
 * name, and in any case whom voip_node_set_contact was told of. The list is freed with
 * voip_contact_list_free. Does not block.
 */
voip_status voip_node_contacts(const voip_node *node, voip_contact_list **list);

/** How many contacts the list has. Does not block. */
voip_status voip_contact_list_count(const voip_contact_list *list, size_t *count);

/**
 * One of them, index from 0. Does not block.
 *
 * Errors: VOIP_INVALID_ARGUMENT beyond the end.
 */
voip_status voip_contact_list_get(const voip_contact_list *list,
                                  size_t index,
                                  voip_contact *contact);

/** Frees a list. Does not block. */
voip_status voip_contact_list_free(voip_contact_list *list);

/**
 * Says what the owner of name, whose key is id, is to the user, and pins the name to the key
 * whatever it was pinned to before. It is kept where the pinned names are. Does not block.
 *
 * VOIP_CONTACT_STATE_BLOCKED: a call with that key ends, and later ones are refused unheard,
 * under any name, as are those of other keys under this name. No event tells of them;
 * signals_dropped of voip_node_stats counts. The caller is told what all are told whose
 * calls nobody answers: that it rings, or that this node is in another call if it is, and in the
 * end that nobody came. The user may still call whom they have blocked.
 * VOIP_CONTACT_STATE_SEEN takes that, or that they were a contact, back.
 *
 * Errors: VOIP_INVALID_ARGUMENT for what is no name or no key; VOIP_INVALID_STATE when 65,536
 * names are pinned; VOIP_CLOSED.
 */
voip_status voip_node_set_contact(const voip_node *node,
                                  const char *name,
                                  const char *id,
                                  voip_contact_state state);

/**
 * Forgets name and what its owner was: the next key that uses it is taken for theirs. Nothing
 * happens if it is not pinned. Does not block.
 *
 * Errors: VOIP_INVALID_ARGUMENT for what is no name; VOIP_CLOSED.
 */
voip_status voip_node_forget_contact(const voip_node *node, const char *name);

/**
 * The number that this node's key and the key id have in common, into number, which has room
 * for capacity bytes: VOIP_SAFETY_NUMBER_SIZE is enough. 60 digits, twelve groups of five with
 * a space between. Two people who read it out to each other, or compare it in any other way that
 * nobody can forge, know that each has the other's key; it is the same for every call. It takes
 * some milliseconds to compute. Does not block.
 *
 * Errors: VOIP_INVALID_ARGUMENT for what is no key.
 */
voip_status voip_node_safety_number(const voip_node *node,
                                    const char *id,
                                    char *number,
                                    size_t capacity);

/* ---- Mesh
 *
 * Nodes that need no tracker: each is linked to some others, and reaches all that they know. Calls find
 * their way through them, and so do texts. */

/** Room for what a text of the mesh says: 8 KiB and a zero. */
#define VOIP_LONG_TEXT_SIZE 8193

/** For whom a text is. A text beside it, whom, says which room or peer. */
typedef enum voip_audience {
    /** Everybody in the mesh; whom is NULL or "". */
    VOIP_AUDIENCE_ALL = 0,
    /**
     * Everybody who reads the room whom: 1 to 64 bytes of UTF-8 without control characters. Its texts
     * are not secret: everybody in the mesh hands them on, and can read them.
     */
    VOIP_AUDIENCE_ROOM = 1,
    /** One peer, whose id is whom; nobody else can read it. */
    VOIP_AUDIENCE_PEER = 2,
} voip_audience;

/**
 * Which text: each has another one. Those of one author are in order within a log. It never grows, and
 * may be kept, copied and compared member by member.
 */
typedef struct voip_text_id {
    /** Who has written it, 64 hexadecimal digits. */
    char author[VOIP_ID_SIZE];
    /**
     * When the author's program began to write, in milliseconds since 1970-01-01 UTC: each run of it is
     * another log.
     */
    uint64_t log;
    /** Its place in the log, from 1 on. */
    uint32_t seq;
} voip_text_id;

/** A text. */
typedef struct voip_text {
    /** In: sizeof(voip_text). */
    size_t size;
    /** Which. */
    voip_text_id id;
    /** What the author calls itself. */
    char name[VOIP_NAME_SIZE];
    /** For whom. */
    voip_audience to;
    /**
     * Which room, or which peer by its id; "" if it is for all. (A text from a peer to this node has
     * this node's own.)
     */
    char whom[VOIP_ID_SIZE];
    /** When it was written, by the author's clock: milliseconds since 1970-01-01 UTC. */
    uint64_t at_unix_ms;
    /**
     * It was written more than half a minute ago, while this node was away or did not get it. Only a
     * late text may come out of order.
     */
    bool late;
    /** What it says: up to 8 KiB of UTF-8 without control characters, but for line breaks and tabs. */
    char text[VOIP_LONG_TEXT_SIZE];
} voip_text;

/**
 * Links this node to the one that listens at this address, "host:port", and so to all that it knows. An
 * address that cannot be reached is tried again, ever more seldom, up to once a minute. Does not block.
 *
 * Errors: VOIP_INVALID_ARGUMENT for what is no address; VOIP_INVALID_STATE unless the node takes part
 * in the mesh (voip_node_builder_mesh); VOIP_CLOSED.
 */
voip_status voip_node_connect(const voip_node *node,
                              const char *address);

/**
 * Writes message to a peer, a room or everybody in the mesh; id, which may be NULL, is which text it
 * is. It is kept by everybody there, within bounds, so that who is away gets it when it is back: the last
 * 1,000 texts or 1 MiB of an author at least. One for a peer only that peer can read, and
 * VOIP_EVENT_TEXT_DELIVERED tells when it has arrived. Waits for the node's own thread only, for at most
 * timeout_ms.
 *
 * Errors: VOIP_INVALID_ARGUMENT for a message that is empty, longer than 8 KiB or with control
 * characters other than line breaks and tabs, a room's name that is none, a key that is none, oneself;
 * VOIP_BUSY for more than 50 texts at once and 5 a second; VOIP_INVALID_STATE unless the node takes
 * part in the mesh; VOIP_TIMED_OUT, after which it may be written all the same; VOIP_CLOSED.
 */
voip_status voip_node_send_text(const voip_node *node,
                                voip_audience to,
                                const char *whom,
                                const char *message,
                                uint32_t timeout_ms,
                                voip_text_id *id);

/**
 * Earlier texts of a room, of all, or with a peer, this node's own included: the last limit (1,000 at
 * most), or the last of those that came before the text before, unless that is NULL. The oldest comes
 * first. A text that is not kept any more has none before it. The list is freed with
 * voip_text_list_free. Waits for the node's own thread only, for at most timeout_ms.
 *
 * Errors: VOIP_INVALID_ARGUMENT for a key that is none; VOIP_INVALID_STATE unless the node takes part
 * in the mesh; VOIP_TIMED_OUT; VOIP_CLOSED.
 */
voip_status voip_node_history(const voip_node *node,
                              voip_audience of,
                              const char *whom,
                              const voip_text_id *before,
                              uint32_t limit,
                              uint32_t timeout_ms,
                              voip_text_list **list);

/** How many texts the list has. Does not block. */
voip_status voip_text_list_count(const voip_text_list *list, size_t *count);

/**
 * One of them, index from 0. Does not block.
 *
 * Errors: VOIP_INVALID_ARGUMENT beyond the end.
 */
voip_status voip_text_list_get(const voip_text_list *list, size_t index, voip_text *text);

/** Frees a list. Does not block. */
voip_status voip_text_list_free(voip_text_list *list);

/* ---- Sound devices */

/** Room for the id or the name of a sound device and a zero; a longer one is cut off. */
#define VOIP_DEVICE_SIZE 256

/** Which way sound goes. */
typedef enum voip_device_direction {
    /** A microphone. */
    VOIP_DEVICE_DIRECTION_INPUT = 0,
    /** A loudspeaker. */
    VOIP_DEVICE_DIRECTION_OUTPUT = 1,
} voip_device_direction;

/** Why another device is in use than before. */
typedef enum voip_device_change {
    /** It was opened for a call. */
    VOIP_DEVICE_CHANGE_OPENED = 0,
    /** The user chose it. */
    VOIP_DEVICE_CHANGE_CHOSEN = 1,
    /** The system has another default now. */
    VOIP_DEVICE_CHANGE_DEFAULT_MOVED = 2,
    /**
     * It was unplugged, its sound server went away, or it stopped to work. There is silence until
     * another one is found; the search goes on.
     */
    VOIP_DEVICE_CHANGE_LOST = 3,
    /** None could be opened. There is silence; the search goes on. */
    VOIP_DEVICE_CHANGE_MISSING = 4,
    /** The chosen one is not there: the default stands in for it. */
    VOIP_DEVICE_CHANGE_FELL_BACK = 5,
    /** Sound is back after a loss, or the chosen one instead of the default. */
    VOIP_DEVICE_CHANGE_RESTORED = 6,
} voip_device_change;

/** A microphone or a loudspeaker that this system has. */
typedef struct voip_audio_device {
    /** In: sizeof(voip_audio_device). */
    size_t size;
    /**
     * Names it for voip_node_choose_device, the same one after the next start: "host:id", as in
     * "alsa:default".
     */
    char id[VOIP_DEVICE_SIZE];
    /** A name for people. */
    char name[VOIP_DEVICE_SIZE];
    /** Microphone or loudspeaker. */
    voip_device_direction direction;
    /** Whether it is the one that "default" means now. */
    bool is_default;
} voip_audio_device;

/** How a device in use is doing. */
typedef struct voip_device_stats {
    /** In: sizeof(voip_device_stats). */
    size_t size;
    /** The device's id. */
    char id[VOIP_DEVICE_SIZE];
    /** The device's name. */
    char name[VOIP_DEVICE_SIZE];
    /** Its sample rate, Hz. */
    uint32_t rate;
    /** Its channels. */
    uint32_t channels;
    /** Samples per channel in its last callback. */
    uint32_t callback_frames;
    /**
     * Delay between the air and the library, milliseconds: the device's own buffers, the ring and
     * the resampler.
     */
    double delay_ms;
    /**
     * How fast its clock was found to run against the system's, parts per million; taken out by
     * resampling.
     */
    double drift_ppm;
    /**
     * Milliseconds of sound that were not there in time (loudspeaker) or found no room
     * (microphone).
     */
    double missed_ms;
    /** Buffer overruns and underruns that the system reported. */
    uint64_t xruns;
    /** Other errors that the system reported. */
    uint64_t errors;
} voip_device_stats;

/**
 * The microphones and loudspeakers that this system has now; none is no error. Waits for the
 * system for at most timeout_ms; a sound server that hangs is not waited for any longer. The
 * list is freed with voip_device_list_free.
 *
 * Errors: VOIP_TIMED_OUT; VOIP_SYSTEM without a thread to ask on.
 */
voip_status voip_devices(uint32_t timeout_ms, voip_device_list **list);

/** How many devices the list has. Does not block. */
voip_status voip_device_list_count(const voip_device_list *list, size_t *count);

/**
 * One of them, index from 0. Does not block.
 *
 * Errors: VOIP_INVALID_ARGUMENT beyond the end.
 */
voip_status voip_device_list_get(const voip_device_list *list,
                                 size_t index,
                                 voip_audio_device *device);

/** Frees a list. Does not block. */
voip_status voip_device_list_free(voip_device_list *list);

/**
 * Uses another microphone or loudspeaker from now on, calls under way included. choice as in
 * voip_node_builder_audio_devices. Does not block: VOIP_EVENT_DEVICE_CHANGED tells what came
 * of it. A device that is not there is used as soon as it is, and the default until then.
 *
 * Errors: VOIP_INVALID_STATE if the node's sound is not that of devices; VOIP_CLOSED.
 */
voip_status voip_node_choose_device(const voip_node *node,
                                    voip_device_direction direction,
                                    const char *choice);

/**
 * How the microphone or the loudspeaker that a node uses is doing, at most 0.2 s old. Does not
 * block.
 *
 * Errors: VOIP_INVALID_STATE while there is none: the node's sound is not that of devices, no
 * call wants sound, or none could be opened.
 */
voip_status voip_node_device_stats(const voip_node *node,
                                   voip_device_direction direction,
                                   voip_device_stats *stats);

/* ---- Doctor
 *
 * Why a call would not work here, and what to change. */

/** Room for the texts of a check and a zero; a longer one is cut off. */
#define VOIP_CHECK_TEXT_SIZE 512

/** What was looked at. */
typedef enum voip_check_kind {
    /** The microphone can be opened, and gives more than digital silence. */
    VOIP_CHECK_KIND_MICROPHONE = 0,
    /** The loudspeaker can be opened, and asks for sound. */
    VOIP_CHECK_KIND_LOUDSPEAKER = 1,
    /** Two nodes of this program call each other on this machine, and sound is heard. */
    VOIP_CHECK_KIND_LOOPBACK_CALL = 2,
    /** A tracker can be reached by TCP, in TLS if its address says so, and answers. */
    VOIP_CHECK_KIND_TRACKER = 3,
    /** The tracker accepts a registration. */
    VOIP_CHECK_KIND_REGISTRATION = 4,
    /** Datagrams (UDP) get to the tracker's port and back. */
    VOIP_CHECK_KIND_UDP = 5,
    /** What the router does to addresses (RFC 4787 §4.1). */
    VOIP_CHECK_KIND_NAT = 6,
    /** The tracker's relay gives an address to who asks by UDP. */
    VOIP_CHECK_KIND_RELAY_UDP = 7,
    /** The tracker's relay gives an address to who asks by TCP. */
    VOIP_CHECK_KIND_RELAY_TCP = 8,
    /** The clock of this machine, against the tracker's. */
    VOIP_CHECK_KIND_CLOCK = 9,
} voip_check_kind;

/** What came of a check. */
typedef enum voip_verdict {
    /** Nothing to change. */
    VOIP_VERDICT_GOOD = 0,
    /** Some calls may not work, or not as well. */
    VOIP_VERDICT_WARNING = 1,
    /** Calls do not work before that is changed. */
    VOIP_VERDICT_BAD = 2,
    /** It was not looked at, or cannot be known. */
    VOIP_VERDICT_SKIPPED = 3,
} voip_verdict;

/** One check. */
typedef struct voip_check {
    /** In: sizeof(voip_check). */
    size_t size;
    /** What was looked at. */
    voip_check_kind what;
    /** What came of it. */
    voip_verdict verdict;
    /** Which one: the tracker's or the device's name; empty where there is but one. */
    char subject[VOIP_CHECK_TEXT_SIZE];
    /** What was found, in words. */
    char measured[VOIP_CHECK_TEXT_SIZE];
    /** What to change, in words; empty if there is nothing. */
    char advice[VOIP_CHECK_TEXT_SIZE];
} voip_check;

/**
 * Says why a call would not work here, and what to change. Opens the devices, has two nodes of this
 * program call each other on this machine, and asks each tracker for all that a call needs of it. At a
 * tracker it is registered for a moment, with a key and a name (doctor-...) of its own. trackers: each as
 * in voip_node_builder_tracker, up to 16 with commas between them (and none in them); "" for none. Two of
 * different hosts tell the kind of router, too. input, output: as in voip_node_builder_audio_devices, "default" or "off", say.
 *
 * Blocks for at most timeout_ms, 1 s to 10 min, and half a second. The report
 * is freed with voip_report_free.
 *
 * Errors: VOIP_INVALID_ARGUMENT; VOIP_SYSTEM without a thread.
 */
voip_status voip_doctor(const char *trackers,
                        const char *input,
                        const char *output,
                        uint32_t timeout_ms,
                        voip_report **report);

/** How many checks the report has. Does not block. */
voip_status voip_report_count(const voip_report *report, size_t *count);

/**
 * One of them, index from 0. Does not block.
 *
 * Errors: VOIP_INVALID_ARGUMENT beyond the end.
 */
voip_status voip_report_get(const voip_report *report, size_t index, voip_check *check);

/** Whether nothing is bad. Does not block. */
voip_status voip_report_is_good(const voip_report *report, bool *good);

/**
 * The report as JSON: {"checks":[{"what":"tracker","subject":"...","verdict":"good",...},...]}. capacity
 * is the size of the array; 16384 is enough for 16 trackers. Does not block.
 *
 * Errors: VOIP_INVALID_ARGUMENT if it is too small.
 */
voip_status voip_report_to_json(const voip_report *report,
                                char *json,
                                size_t capacity);

/** Frees a report. Does not block. */
voip_status voip_report_free(voip_report *report);

/**
 * In words, for people, as in "microphone"; "unknown" for what is none. It lives as long as the
 * library is loaded; do not free it. Does not block.
 */
const char *voip_check_kind_describe(voip_check_kind kind);

/**
 * In words, for people, as in "warning"; "unknown" for what is none. It lives as long as the
 * library is loaded; do not free it. Does not block.
 */
const char *voip_verdict_describe(voip_verdict verdict);

/* ---- Call
 *
 * Several handles may stand for one call: those of its events, and clones. When the last is freed
 * the call is hung up. (One that the node answered by itself stays up until somebody hangs up.)
 * Events that wait to be read keep no call up, except VOIP_EVENT_INCOMING. */

/** Room for the verification words of any call, the spaces between, and a zero. */
#define VOIP_WORDS_SIZE 48

/** Where a call stands. */
typedef enum voip_call_state {
    /** Outgoing: the peer is being looked up, or has not reacted to the offer yet. */
    VOIP_CALL_STATE_PLACING = 0,
    /** It rings, here or at the peer. */
    VOIP_CALL_STATE_RINGING = 1,
    /** Answered; the path is being made. */
    VOIP_CALL_STATE_CONNECTING = 2,
    /** Sound goes both ways. */
    VOIP_CALL_STATE_CONNECTED = 3,
    /** Over. */
    VOIP_CALL_STATE_ENDED = 4,
} voip_call_state;

/** Why a call is over. */
typedef enum voip_end_reason {
    /** It is not over, or that is not what the event is about. */
    VOIP_END_REASON_NONE = 0,
    /** This side hung up, or cancelled before the answer. */
    VOIP_END_REASON_HUNG_UP = 1,
    /** The peer hung up. */
    VOIP_END_REASON_PEER_HUNG_UP = 2,
    /** The peer is in another call, or this node has as many as it takes, or one with that peer. */
    VOIP_END_REASON_BUSY = 3,
    /** The peer declined. */
    VOIP_END_REASON_DECLINED = 4,
    /** Nobody answered within the ring time. */
    VOIP_END_REASON_NO_ANSWER = 5,
    /** An incoming call that was not answered in time, or that the caller gave up. */
    VOIP_END_REASON_MISSED = 6,
    /** No peer of that name or key is online. */
    VOIP_END_REASON_UNKNOWN_PEER = 7,
    /** Trackers disagree on whose name it is, and none is pinned. */
    VOIP_END_REASON_AMBIGUOUS_NAME = 8,
    /** The name belongs to another key than the one pinned. */
    VOIP_END_REASON_KEY_CHANGED = 9,
    /** No tracker could be asked. */
    VOIP_END_REASON_TRACKER_UNREACHABLE = 10,
    /** The peer did not react, or no path to it was found. */
    VOIP_END_REASON_UNREACHABLE = 11,
    /** The path to the peer was lost. */
    VOIP_END_REASON_NETWORK_LOST = 12,
    /** The peer sent what makes no sense. */
    VOIP_END_REASON_PROTOCOL = 13,
    /** The node was closed. */
    VOIP_END_REASON_NODE_CLOSED = 14,
    /**
     * The caller broke its word on which the verification words rest: what it revealed is not what
     * it had committed itself to. Its program is broken, or somebody tries to choose the words.
     */
    VOIP_END_REASON_VERIFICATION_FAILED = 15,
} voip_end_reason;

/** How to refuse an incoming call. */
typedef enum voip_reject {
    /** "I do not want to talk." */
    VOIP_REJECT_DECLINED = 0,
    /** "I am in another call." */
    VOIP_REJECT_BUSY = 1,
} voip_reject;

/** Why nothing is heard of a peer. */
typedef enum voip_silence_reason {
    /** All is well, or that is not what the event is about. */
    VOIP_SILENCE_REASON_NONE = 0,
    /**
     * No packet of sound has come for 0.9 s: the path is broken or blocked in this direction, or
     * the peer's program has stopped or has nothing to send.
     */
    VOIP_SILENCE_REASON_NO_PACKETS = 1,
    /**
     * Packets come, and the peer says that there is no sound in them: its microphone has given
     * digital silence for a second. It is unplugged, switched off, muted outside the program, or
     * forbidden to the program; or there is none.
     */
    VOIP_SILENCE_REASON_DIGITAL_SILENCE = 2,
    /** The peer says that it has muted its microphone: it sends nothing, by design. */
    VOIP_SILENCE_REASON_MUTED = 3,
} voip_silence_reason;

/** Who is at the other end of a call. */
typedef struct voip_call_peer {
    /** In: sizeof(voip_call_peer). */
    size_t size;
    /** The name it registered, or the one that is being looked up. */
    char name[VOIP_NAME_SIZE];
    /** Its key, 64 hexadecimal digits; "" until it is known. */
    char id[VOIP_ID_SIZE];
} voip_call_peer;

/** The peer at the other end. Does not block. */
voip_status voip_call_get_peer(const voip_call *call, voip_call_peer *peer);

/**
 * Where the call stands, and why it is over if it is: reason is VOIP_END_REASON_NONE before;
 * it may be NULL. Does not block.
 */
voip_status voip_call_get_state(const voip_call *call,
                                voip_call_state *state,
                                voip_end_reason *reason);

/**
 * Answers an incoming call. Does not block; VOIP_EVENT_CONNECTED follows. Keep the handle for as
 * long as the call is to last: freeing the last one hangs up, and so does voip_event_free right
 * after this with the event that brought it.
 *
 * Errors: VOIP_INVALID_STATE if it does not ring here; if it is over, what its end was.
 */
voip_status voip_call_answer(const voip_call *call);

/**
 * Refuses an incoming call. Does not block.
 *
 * Errors: VOIP_INVALID_STATE if it does not ring here; if it is over, what its end was.
 */
voip_status voip_call_reject(const voip_call *call, voip_reject how);

/**
 * Ends the call in whatever state it is: cancels, declines or hangs up. Twice is once. Does not
 * block.
 */
voip_status voip_call_hang_up(const voip_call *call);

/** Stops or resumes sending the microphone. Muted, no voice packet leaves at all. Does not block. */
voip_status voip_call_set_muted(const voip_call *call, bool muted);

/** Whether the microphone is muted. Does not block. */
voip_status voip_call_is_muted(const voip_call *call, bool *muted);

/** Whether the peer says that its microphone is muted. Does not block. */
voip_status voip_call_is_peer_muted(const voip_call *call, bool *muted);

/**
 * Why nothing is heard of the peer at present, as the last VOIP_EVENT_MEDIA_SILENT said;
 * VOIP_SILENCE_REASON_NONE while all is well, and when the call is over. Does not block.
 */
voip_status voip_call_peer_silence(const voip_call *call, voip_silence_reason *reason);

/**
 * Four words, with a space between, that are the same at both ends of this call, unless somebody
 * sits between them and talks to each in the other's name: the two people read them to each other,
 * one two and the other two, and hang up if they differ. words has room for capacity bytes,
 * VOIP_WORDS_SIZE at least. "" until the call is connected and VOIP_EVENT_VERIFICATION_READY
 * has come, and for good if the peer's version knows no such words: then nothing is verified. Does
 * not block.
 *
 * Whoever sits in the middle has one guess for each call, and one of 4,294,967,296 is right: the
 * words depend on what both ends chose before either could know the other's choice.
 */
voip_status voip_call_verification_words(const voip_call *call, char *words, size_t capacity);

/**
 * Waits until the call is answered, for at most timeout_ms.
 *
 * Errors: VOIP_TIMED_OUT; the call goes on. Otherwise what its end was: VOIP_BUSY,
 * VOIP_DECLINED, VOIP_NO_ANSWER, VOIP_UNKNOWN_PEER, VOIP_TRACKER_UNREACHABLE,
 * VOIP_UNREACHABLE, VOIP_CALL_ENDED ...
 */
voip_status voip_call_wait_answered(const voip_call *call, uint32_t timeout_ms);

/**
 * Waits until sound can flow, for at most timeout_ms.
 *
 * Errors: as voip_call_wait_answered.
 */
voip_status voip_call_wait_connected(const voip_call *call, uint32_t timeout_ms);

/**
 * Waits until the call is over, for at most timeout_ms, and tells why it is; reason may be
 * NULL.
 *
 * Errors: VOIP_TIMED_OUT; the call goes on.
 */
voip_status voip_call_wait_ended(const voip_call *call,
                                 uint32_t timeout_ms,
                                 voip_end_reason *reason);

/** Another handle of the same call, freed with voip_call_free as well. Does not block. */
voip_status voip_call_clone(const voip_call *call, voip_call **clone);

/**
 * Whether two handles stand for the same call: pointers differ though it is the same. Does not
 * block.
 */
voip_status voip_call_equal(const voip_call *call, const voip_call *other, bool *equal);

/**
 * Frees a handle; with the last one of a call that is not over, hangs up. Does not block. A thread
 * inside a function with the handle keeps the call up until it has left.
 */
voip_status voip_call_free(voip_call *call);

/**
 * What voip_call_wait_answered returns for this end of a call, and its words in
 * voip_last_error; VOIP_INVALID_ARGUMENT for what is no reason. Never VOIP_OK. Does not
 * block.
 */
voip_status voip_end_reason_error_kind(voip_end_reason reason);

/**
 * In words, for people, as in "the peer hung up"; "unknown" for what is no reason. It lives as
 * long as the library is loaded; do not free it. Does not block.
 */
const char *voip_end_reason_describe(voip_end_reason reason);

/**
 * In words, for people, as in "no sound arrives"; "unknown" for what is no reason. It lives as
 * long as the library is loaded; do not free it. Does not block.
 */
const char *voip_silence_reason_describe(voip_silence_reason reason);

/* ---- Sound of a call
 *
 * For nodes with voip_node_builder_audio_manual: mono, at its rate, any count of samples. Floats
 * are -1.0 to 1.0. Where count is 0 samples may be NULL. All of these return
 * VOIP_INVALID_STATE for another kind of audio, and once the call is over what its end was:
 * VOIP_CALL_ENDED, VOIP_NETWORK_LOST ... */

/**
 * Says count samples. Each complete frame leaves at once. Whoever writes faster than real time
 * is paced: the queue holds 200 ms, then this waits for room, for at most timeout_ms. written
 * is how many were accepted; fewer than count only if the time has passed. What is written
 * before the call is connected is spoken to nobody, in real time.
 *
 * Whoever writes nothing sends nothing, which the peer's program reports after 0.9 s as
 * VOIP_SILENCE_REASON_NO_PACKETS; a program that only listens mutes the call instead.
 *
 * Errors: VOIP_TIMED_OUT if none was accepted. written is 0 after every failure.
 */
voip_status voip_call_write_f32(const voip_call *call,
                                const float *samples,
                                size_t count,
                                uint32_t timeout_ms,
                                size_t *written);

/** As voip_call_write_f32, for samples of 16 bits. */
voip_status voip_call_write_i16(const voip_call *call,
                                const int16_t *samples,
                                size_t count,
                                uint32_t timeout_ms,
                                size_t *written);

/**
 * Hears exactly count samples, or none. Reading is the playout clock of this call: sound is
 * decoded on demand, and whoever reads early waits, for at most timeout_ms. If nobody reads for
 * 200 ms time goes on without the reader, and unread_ms of voip_call_stats counts what was not
 * heard. Before the call is connected this hears silence.
 *
 * Errors: VOIP_TIMED_OUT: nothing is lost, read again.
 */
voip_status voip_call_read_f32(const voip_call *call,
                               float *samples,
                               size_t count,
                               uint32_t timeout_ms);

/** As voip_call_read_f32, for samples of 16 bits. */
voip_status voip_call_read_i16(const voip_call *call,
                               int16_t *samples,
                               size_t count,
                               uint32_t timeout_ms);

/**
 * A descriptor for poll, epoll and event loops, which read and write with timeout_ms 0. After a
 * read that came too early, or a write that could not do all it was asked, it becomes readable as
 * soon as so much sound is there, or room for more. The next read makes it unreadable for sound,
 * the next write for room; one of nothing (count 0) will do for whoever has given up. When the
 * call is over it is readable for good. Only to wait on. It is made by the first use of this
 * function: call it before the first read or write. Does not block.
 *
 * It belongs to the call and is closed when the last handle of that is freed, or a moment later:
 * take it out of epoll before.
 *
 * Errors: VOIP_SYSTEM without a descriptor left; VOIP_INVALID_STATE on systems that are no
 * Unix, too.
 */
voip_status voip_call_pcm_descriptor(const voip_call *call, int *descriptor);

/* ---- Statistics of a call */

/** The quality of a call in one word, from loss, concealment and delay. */
typedef enum voip_quality {
    /** Nothing has been heard yet. */
    VOIP_QUALITY_UNKNOWN = 0,
    /** Under 1 % concealed and under 150 ms one way (ITU-T G.114). */
    VOIP_QUALITY_GOOD = 1,
    /** Under 5 % concealed and under 400 ms. */
    VOIP_QUALITY_FAIR = 2,
    /** Worse. */
    VOIP_QUALITY_POOR = 3,
} voip_quality;

/** A second in the life of a call's jitter buffer. */
typedef struct voip_jitter_second {
    /** In: sizeof(voip_jitter_second). */
    size_t size;
    /** What was aimed at when it ended, milliseconds over the fastest packet. */
    double target_ms;
    /** How long packets waited when it ended, milliseconds. */
    double delay_ms;
    /**
     * Milliseconds of sound made up; a gap counts in the second in which it turns out to be none of
     * silence.
     */
    uint32_t concealed_ms;
    /** Milliseconds of lost sound rebuilt from the deep redundancy of later packets (feature dred). */
    uint32_t rebuilt_ms;
    /** Milliseconds of sound put in to lengthen the delay. */
    uint32_t stretched_ms;
    /** Milliseconds of sound left out to shorten it. */
    uint32_t skipped_ms;
    /** Lost packets whose copy in the next one was played. */
    uint32_t recovered;
    /** Lost packets that came once more in a later one and were played. */
    uint32_t repeated;
    /** Packets that came after their time. */
    uint32_t late;
} voip_jitter_second;

/**
 * Mouth-to-ear delay by stage, milliseconds, for the first sample of a packet. It never grows: a
 * stage of a later release is a member of voip_call_stats.
 */
typedef struct voip_stages {
    /** Waiting until a whole packet's worth of sound is there, and the device's own buffer. */
    double capture;
    /** Computing time of the encoder plus its look-ahead. */
    double encode;
    /** Half the round-trip time measured by ICE. */
    double network;
    /** Mean wait in the jitter buffer. */
    double buffer;
    /** Computing time of the decoder. */
    double decode;
    /** Waiting behind the mixer: the device's own buffer. */
    double playout;
    /** The sum: mouth to ear. */
    double total;
} voip_stages;

/** Statistics of one call. A time that is not known yet is NaN. */
typedef struct voip_call_stats {
    /** In: sizeof(voip_call_stats). */
    size_t size;
    /** RTP packets sent. */
    uint64_t packets_sent;
    /** Bytes of RTP payload sent. */
    uint64_t bytes_sent;
    /** RTP packets received and authentic. */
    uint64_t packets_received;
    /** Bytes of RTP payload received. */
    uint64_t bytes_received;
    /** Packets that never came in time for anything. */
    uint64_t packets_lost;
    /** Packets that came after their time. */
    uint64_t packets_late;
    /** Packets that came twice. */
    uint64_t packets_duplicate;
    /** Lost packets that in-band FEC (RFC 6716, section 2.1.7) brought back. */
    uint64_t packets_recovered;
    /**
     * Packets that did not come, or not in time, and were played as they came once more in a later one
     * (RFC 2198).
     */
    uint64_t packets_repeated;
    /** Datagrams from the network that made no sense to this call. */
    uint64_t dropped;
    /** Milliseconds of sound that passed unread (manual PCM, nobody reading for 200 ms). */
    uint64_t unread_ms;
    /** Milliseconds of sound put in to lengthen the delay of the jitter buffer. */
    uint64_t stretched_ms;
    /** Milliseconds of sound left out to shorten it. */
    uint64_t skipped_ms;
    /** Milliseconds of lost sound rebuilt from the deep redundancy of later packets (feature dred). */
    uint64_t rebuilt_ms;
    /** Lost packets, per cent of those expected. */
    double loss_pct;
    /** Sound that was made up, per cent of the sound played. */
    double concealed_pct;
    /** Interarrival jitter (RFC 3550, section 6.4.1), milliseconds. */
    double jitter_ms;
    /** Round-trip time by ICE, milliseconds, or NaN. */
    double rtt_ms;
    /** What the jitter buffer aims at, milliseconds. */
    double buffer_target_ms;
    /** How long packets wait in the jitter buffer lately, milliseconds. */
    double buffer_delay_ms;
    /** From placing or ringing to the answer, milliseconds, or NaN. */
    double answer_ms;
    /** From placing or ringing to the first sound of the peer at playout, milliseconds, or NaN. */
    double first_audio_ms;
    /** Packets of the microphone's sound that the peer missed of late, by its own word, per cent. */
    double peer_loss_pct;
    /** Mouth-to-ear delay by stage. */
    voip_stages stages_ms;
    /** Level of the microphone, dBFS (RMS of the last frame), -127 for silence. */
    float level_in_dbfs;
    /** Level of what is heard, dBFS, -127 for silence. */
    float level_out_dbfs;
    /**
     * Bits per second that the encoder makes of the microphone's sound: as configured, or less while
     * the line is too narrow for that.
     */
    uint32_t bitrate;
    /** The quality in one word. */
    voip_quality quality;
    /**
     * Whether the microphone of this side has given nothing but digital silence, the same value
     * over and over, for a second though it is not muted. The peer is told.
     */
    bool digital_silence;
    /** Local address of the path in use, "ip:port"; "" without one. */
    char path_local[VOIP_ADDRESS_SIZE];
    /** Remote address of the path in use, "ip:port"; "" without one. */
    char path_remote[VOIP_ADDRESS_SIZE];
} voip_call_stats;

/**
 * The jitter buffer in one second of the last minute, ago seconds ago: 0 is the last whole one. At
 * most 0.2 s old: whoever reads several should do so at once. Does not block.
 *
 * Errors: VOIP_INVALID_ARGUMENT beyond the minute, or before the call's sound began.
 */
voip_status voip_call_get_second(const voip_call *call,
                                 size_t ago,
                                 voip_jitter_second *second);

/** Statistics, at most 0.2 s old, and the final ones of a call that is over. Does not block. */
voip_status voip_call_get_stats(const voip_call *call, voip_call_stats *stats);

/* ---- Events of a node */

/**
 * Room for a tracker's address and for the words of an error, and a zero; longer ones are cut
 * off.
 */
#define VOIP_TEXT_SIZE 264

/**
 * What happened. The members of voip_event that are told are named in brackets; those not named
 * are 0, NULL or "".
 */
typedef enum voip_event_kind {
    /** Nothing: the event has been freed, or none came. */
    VOIP_EVENT_NONE = 0,
    /** A tracker has accepted this node's name and key. [tracker, online] */
    VOIP_EVENT_REGISTERED = 1,
    /**
     * A tracker refused the registration or cannot be reached. The node goes on trying, unless the
     * same key has registered from elsewhere. [tracker, error, message]
     */
    VOIP_EVENT_TRACKER_LOST = 2,
    /** A peer came online. [name, id, presence, since_unix_ms, online] */
    VOIP_EVENT_JOINED = 3,
    /** A peer says something else about itself: its presence. [name, id, presence, since_unix_ms] */
    VOIP_EVENT_CHANGED = 4,
    /** A peer went offline. [name, id, online] */
    VOIP_EVENT_LEFT = 5,
    /**
     * Somebody calls: answer or reject it, and keep the handle of one that was answered:
     * voip_event_free frees the one in the event, and hangs up with the last. [call]
     */
    VOIP_EVENT_INCOMING = 6,
    /** It rings at the peer. [call] */
    VOIP_EVENT_RINGING = 7,
    /** The call was answered, here or there. [call] */
    VOIP_EVENT_ANSWERED = 8,
    /** There is an encrypted path: sound can flow. [call] */
    VOIP_EVENT_CONNECTED = 9,
    /** The first sound of the peer was handed to playout. [call] */
    VOIP_EVENT_FIRST_AUDIO = 10,
    /**
     * The peer muted or unmuted its microphone. Of ten changes one soon after the other each is
     * told, of more than that not every one. [call, muted]
     */
    VOIP_EVENT_PEER_MUTED = 11,
    /**
     * Nothing is heard of the peer any more, or nothing was from the beginning.
     * The call goes on. Told once: another of these means another reason, and
     * VOIP_EVENT_MEDIA_RESUMED that it is over. [call, silence_reason]
     */
    VOIP_EVENT_MEDIA_SILENT = 12,
    /**
     * What VOIP_EVENT_MEDIA_SILENT told is over: sound comes again, or the peer is no
     * longer muted. [call]
     */
    VOIP_EVENT_MEDIA_RESUMED = 13,
    /** The call is over. [call, end_reason] */
    VOIP_EVENT_ENDED = 14,
    /**
     * A name that is pinned to one key was used by another; the call was refused. See
     * voip_node_accept_key. [name, pinned, offered]
     */
    VOIP_EVENT_KEY_CHANGED = 15,
    /**
     * Another microphone or loudspeaker is in use than before, or none: then device_id is "".
     * [direction, change, device_id, device_name]
     */
    VOIP_EVENT_DEVICE_CHANGED = 16,
    /**
     * The queue overflowed and events were dropped, first those about what can be read again: who
     * is online, texts, devices, whether the peers of calls are muted or silent. Read these and the
     * states of calls again.
     */
    VOIP_EVENT_LAGGED = 17,
    /**
     * Nothing comes of the peer any more, not even a sign of life: the path to it is lost, and
     * another one is looked for. The call goes on; without a path for 45 s it ends. [call]
     */
    VOIP_EVENT_RECONNECTING = 18,
    /** There is a path again: what VOIP_EVENT_RECONNECTING told is over. [call] */
    VOIP_EVENT_RECONNECTED = 19,
    /**
     * The words by which two people check that nobody sits between them are known: right after
     * VOIP_EVENT_CONNECTED, some seconds later on a line that loses packets, never for a peer of
     * a version without them. See voip_call_verification_words. [call, words]
     */
    VOIP_EVENT_VERIFICATION_READY = 20,
    /**
     * A peer that voip_node_pair waited for: both were handed to each other. [name, id, presence,
     * since_unix_ms, calls]
     */
    VOIP_EVENT_PAIRED = 21,
    /** No tracker can do what voip_node_pair asks; the node waits no longer. [error, message] */
    VOIP_EVENT_PAIRING_FAILED = 22,
    /**
     * Somebody in the mesh has written: voip_event_text has what. What this node's own user writes is
     * not told. [name, id, texts]
     */
    VOIP_EVENT_TEXT = 23,
    /**
     * Texts of this node's have come to the peer they are for: voip_event_text_id has which.
     * [id, count, texts]
     */
    VOIP_EVENT_TEXT_DELIVERED = 24,
    /**
     * Texts of an author are not to be had any more from anybody, count of them with those for others;
     * others that came after them follow. [id, count]
     */
    VOIP_EVENT_TEXTS_MISSING = 25,
    /**
     * The file that keeps texts cannot be written: what comes now is lost when the node is closed. Told
     * once, and again if it has worked in between. [error, message]
     */
    VOIP_EVENT_HISTORY_FAILED = 26,
} voip_event_kind;

/** An event. Copy what is to be kept, free the rest with voip_event_free. */
typedef struct voip_event {
    /** In: sizeof(voip_event). */
    size_t size;
    /** What happened. */
    voip_event_kind kind;
    /** How many peers are online at that tracker now, this one included. */
    uint32_t online;
    /**
     * A handle of the call, which belongs to the event: voip_event_free frees it. To keep it,
     * copy it and set this to NULL before; then it is freed with voip_call_free.
     */
    voip_call *call;
    /** Why the call is over. */
    voip_end_reason end_reason;
    /** Why nothing is heard of the peer. */
    voip_silence_reason silence_reason;
    /** Whether the peer has muted its microphone now. */
    bool muted;
    /** The name of the peer, or what the author of a text calls itself. */
    char name[VOIP_NAME_SIZE];
    /** The key of the peer, or of the author. */
    char id[VOIP_ID_SIZE];
    /** The key that the name is pinned to. */
    char pinned[VOIP_ID_SIZE];
    /** The key that used the name now. */
    char offered[VOIP_ID_SIZE];
    /** Whether the peer can be called. */
    voip_presence presence;
    /** The peer is online since, by the tracker's clock: milliseconds since 1970-01-01 UTC. */
    uint64_t since_unix_ms;
    /** The tracker's address as it was configured. */
    char tracker[VOIP_TEXT_SIZE];
    /** Why the tracker was lost, cannot pair, or the file of texts cannot be written. */
    voip_status error;
    /** The same in words. */
    char message[VOIP_TEXT_SIZE];
    /** Microphone or loudspeaker. */
    voip_device_direction direction;
    /** Why another one is in use. */
    voip_device_change change;
    /** The id of the one in use now. */
    char device_id[VOIP_DEVICE_SIZE];
    /** Its name. */
    char device_name[VOIP_DEVICE_SIZE];
    /** The verification words of the call, with a space between. */
    char words[VOIP_WORDS_SIZE];
    /**
     * Whether it is this side's part to call: true on one of the two sides, that of the smaller
     * key.
     */
    bool calls;
    /** How many texts. */
    uint32_t count;
    /** What voip_event_text and voip_event_text_id read; it belongs to the event. */
    voip_event_texts *texts;
} voip_event;

/**
 * The next event, waiting for it for at most timeout_ms. Free it with voip_event_free before
 * the struct is used again. After a failure it is VOIP_EVENT_NONE and holds nothing, which may
 * be freed as well.
 *
 * Errors: VOIP_TIMED_OUT; VOIP_CLOSED once the node is closed and its events have been read.
 */
voip_status voip_node_next_event(const voip_node *node, voip_event *event, uint32_t timeout_ms);

/**
 * The text of VOIP_EVENT_TEXT. Does not block.
 *
 * Errors: VOIP_INVALID_ARGUMENT for another event; VOIP_CLOSED for one that was freed in a copy.
 */
voip_status voip_event_text(const voip_event *event,
                            voip_text *text);

/**
 * One of the texts of VOIP_EVENT_TEXT_DELIVERED, index from 0 to count - 1. Does not block.
 *
 * Errors: VOIP_INVALID_ARGUMENT beyond the end, and for another event; VOIP_CLOSED for one that was
 * freed in a copy.
 */
voip_status voip_event_text_id(const voip_event *event,
                               size_t index,
                               voip_text_id *id);

/**
 * Frees what an event holds: the handle of its call, if it still has one, and what it says of texts. The
 * event is VOIP_EVENT_NONE then; twice is once. Does not block. If it was the last handle of a call that
 * is not over, the call is hung up: so does an incoming one end that nobody cares for.
 *
 * Errors: VOIP_INVALID_ARGUMENT for what is no event.
 */
voip_status voip_event_free(voip_event *event);

/* ---- Statistics of a node */

/** Statistics of a node. Those of its sound devices are in voip_node_device_stats. */
typedef struct voip_node_stats {
    /** In: sizeof(voip_node_stats). */
    size_t size;
    /** Datagrams that belonged to no call and no request. */
    uint64_t datagrams_dropped;
    /** Signalling that was forged, stale, replayed or made no sense. */
    uint64_t signals_dropped;
    /**
     * Messages of trackers that made no sense, answered nothing, or held a record whose signature
     * does not hold.
     */
    uint64_t tracker_messages_dropped;
    /** Events dropped because nobody read them. */
    uint64_t events_dropped;
    /**
     * When sample 0 of the microphone was captured: microseconds since 1970-01-01 UTC, with audio
     * of WAV files or none, once a call has started them; 0 otherwise.
     */
    uint64_t capture_started_unix_us;
    /**
     * When sample 0 was played, counting back from later ones; 0 if it was not: within the first
     * seconds of a call playout may move by some milliseconds.
     */
    uint64_t playout_started_unix_us;
    /** Whether the operating system gave the engine real-time priority. */
    bool realtime;
    /** Messages of the mesh that were malformed, forged, stale, unknown, unasked for, or too many. */
    uint64_t mesh_messages_dropped;
    /** Nodes of the mesh that this one is linked to and exchanges messages with. */
    uint32_t neighbors;
} voip_node_stats;

/** Statistics, at most 0.2 s old. Does not block. */
voip_status voip_node_get_stats(const voip_node *node, voip_node_stats *stats);

/* ---- Tracker
 *
 * Where nodes find each other. A program may run one itself; it has threads of its own. */

/**
 * Begins to describe a tracker. The handle is freed with voip_tracker_builder_free. Does not
 * block.
 */
voip_status voip_tracker_builder_new(voip_tracker_builder **builder);

/**
 * Where to listen, "address:port"; TCP and UDP. Port 0: one that is free. "[::]" takes IPv4 as
 * well as IPv6. Default "0.0.0.0:6000". Does not block.
 */
voip_status voip_tracker_builder_bind(voip_tracker_builder *builder, const char *address);

/**
 * Listens there, too, TCP and UDP: at port 443, say, for peers whose networks let nothing else out. Up to
 * 8 addresses in all, checked by voip_tracker_builder_start. Does not block.
 */
voip_status voip_tracker_builder_also_bind(voip_tracker_builder *builder,
                                           const char *address);

/**
 * Whether the tracker relays for peers whose routers let nothing of each other through: as a TURN server
 * (RFC 8656) at the addresses it listens on, by UDP and TCP, for the two peers of a call and with
 * credentials that the tracker gives to those registered. It needs UDP ports above 1024 open to the world.
 * Default: no. Does not block.
 */
voip_status voip_tracker_builder_relay(voip_tracker_builder *builder,
                                       bool on);

/**
 * The most allocations of the relay at once, any number; a call needs two at most. Default 1000. Switches
 * the relay on, as all its options do. Does not block.
 */
voip_status voip_tracker_builder_relay_allocations(voip_tracker_builder *builder,
                                                   size_t most);

/**
 * Bits per second that one allocation may relay each way, 1000 to 1000000000; twice as many in the first
 * second. What is above is dropped. Default 100000, enough for sound of 64 kbit/s. Checked by
 * voip_tracker_builder_start. Does not block.
 */
voip_status voip_tracker_builder_relay_bitrate(voip_tracker_builder *builder,
                                               uint32_t bits_per_second);

/**
 * The IP address by which the world reaches this machine, if a router maps one to one and the machine does
 * not have it itself; checked by voip_tracker_builder_start. Does not block.
 */
voip_status voip_tracker_builder_relay_address(voip_tracker_builder *builder,
                                               const char *address);

/**
 * Whether the relay sends to private, shared and loopback addresses: only for a network that is no part of
 * the Internet. Default: no. Does not block.
 */
voip_status voip_tracker_builder_relay_private(voip_tracker_builder *builder,
                                               bool yes);

/**
 * Whether every message in and out becomes a VOIP_TRACKER_EVENT_WIRE. Default: no. Does not
 * block.
 */
voip_status voip_tracker_builder_wire_log(voip_tracker_builder *builder, bool on);

/**
 * The most connections at once, any number; others are turned away, and with 0 all. Default 10000.
 * Does not block.
 */
voip_status voip_tracker_builder_max_connections(voip_tracker_builder *builder, size_t connections);

/**
 * The most connections at once of one IPv4 address or IPv6 /64, 1 to 1000000; others are turned away. More
 * where many peers are behind one router. This machine's own are not counted. Default 64. Checked by
 * voip_tracker_builder_start. Does not block.
 */
voip_status voip_tracker_builder_max_per_address(voip_tracker_builder *builder,
                                                 uint32_t connections);

/**
 * New connections a second of one IPv4 address or IPv6 /64, 1 to 10000, and ten seconds' worth at once; others
 * are turned away. This machine's own are not counted. Default 10. Checked by
 * voip_tracker_builder_start. Does not block.
 */
voip_status voip_tracker_builder_connection_rate(voip_tracker_builder *builder,
                                                 uint32_t per_second);

/**
 * Requests a second of one connection, 1 to 10000, and five seconds' worth at once; others are refused. To
 * list all peers takes one for each fifty. Default 20. Checked by voip_tracker_builder_start. Does not
 * block.
 */
voip_status voip_tracker_builder_request_rate(voip_tracker_builder *builder,
                                              uint32_t per_second);

/**
 * Answers a second over UDP to one IPv4 /24 or IPv6 /56, 1 to 10000, and four seconds' worth at once: of STUN,
 * and as many of the relay to who has no credentials yet. More where many peers are in one network; each
 * answer may hit somebody who never asked. This machine's own questions of STUN are not counted. Default 5.
 * Checked by voip_tracker_builder_start. Does not block.
 */
voip_status voip_tracker_builder_stun_rate(voip_tracker_builder *builder,
                                           uint32_t per_second);

/**
 * Takes TLS 1.3 on the same port, with this certificate: PEM files of the chain, the tracker's own
 * first, and of its key. They are read at the start only. Default: no TLS. Does not block.
 */
voip_status voip_tracker_builder_tls(voip_tracker_builder *builder,
                                     const char *chain,
                                     const char *key);

/**
 * Takes TLS 1.3 on the same port, with a key and a certificate of its own making, which no authority
 * vouches for: peers know the tracker by voip_tracker_key_sha256. They are kept in this file, PEM,
 * made with its folder at the first start and readable by its owner only. It takes the place of
 * voip_tracker_builder_tls, and the other way round. Does not block.
 */
voip_status voip_tracker_builder_tls_self_signed(voip_tracker_builder *builder,
                                                 const char *file);

/**
 * Whether connections that are not in TLS are turned away. UDP is answered either way: STUN, and TURN if
 * there is a relay. Default: no. Does not block.
 */
voip_status voip_tracker_builder_require_tls(voip_tracker_builder *builder,
                                             bool on);

/**
 * Starts a tracker. Blocks for as long as the system needs to resolve a name, if the address is
 * one. The tracker's handle is freed with voip_tracker_free; the builder stays as it is.
 *
 * Errors: VOIP_INVALID_ARGUMENT (the address is none, or not of this machine; a limit is out of its
 * range; TLS is required and there is no certificate), VOIP_FILE (a certificate or key),
 * VOIP_ADDRESS_IN_USE, VOIP_SYSTEM.
 */
voip_status voip_tracker_builder_start(const voip_tracker_builder *builder,
                                       voip_tracker **tracker);

/** Frees a builder. Trackers that it started live on. Does not block. */
voip_status voip_tracker_builder_free(voip_tracker_builder *builder);

/**
 * Where it listens, "ip:port", into address, which has room for capacity bytes:
 * VOIP_ADDRESS_SIZE is enough. Does not block.
 */
voip_status voip_tracker_address(const voip_tracker *tracker, char *address, size_t capacity);

/**
 * SHA-256 of the SubjectPublicKeyInfo of the certificate's key into digits, which has room for
 * capacity bytes: VOIP_ID_SIZE is enough for the 64 hexadecimal digits. Behind
 * "tls://host:port#sha256=" in voip_node_builder_tracker they are all that a peer needs to trust.
 * "" without TLS. Does not block.
 */
voip_status voip_tracker_key_sha256(const voip_tracker *tracker, char *digits, size_t capacity);

/**
 * Stops and ends all connections; the handle stays. Threads that wait in functions with it return.
 * Twice is once. Blocks for at most 500 ms.
 */
voip_status voip_tracker_close(const voip_tracker *tracker);

/** Whether the tracker was closed. Does not block. */
voip_status voip_tracker_is_closed(const voip_tracker *tracker, bool *closed);

/** Closes the tracker, as voip_tracker_close, and frees its handle. Blocks for at most 500 ms. */
voip_status voip_tracker_free(voip_tracker *tracker);

/* ---- What a tracker tells */

/**
 * What happened. The members of voip_tracker_event that are told are named in brackets; those
 * not named are 0 or "".
 */
typedef enum voip_tracker_event_kind {
    /** A peer came. [name, id, from, online] */
    VOIP_TRACKER_EVENT_REGISTERED = 1,
    /** A peer went. [name, id, online, why] */
    VOIP_TRACKER_EVENT_LEFT = 2,
    /**
     * A message came or went. Only with the wire log switched on. [direction, name: "" before it
     * is registered, from: "" if it was turned away, text]
     */
    VOIP_TRACKER_EVENT_WIRE = 3,
    /**
     * Two peers who had asked for one were handed to each other: the one who had waited, and the
     * other, who came. [name, id, other_name, other_id]
     */
    VOIP_TRACKER_EVENT_PAIRED = 4,
} voip_tracker_event_kind;

/** How a peer went. */
typedef enum voip_departure {
    /** It said goodbye. */
    VOIP_DEPARTURE_LEFT = 0,
    /** Its connection ended. */
    VOIP_DEPARTURE_CLOSED = 1,
    /** It fell silent, or let its record expire. */
    VOIP_DEPARTURE_TIMED_OUT = 2,
    /** It did not read what was sent to it. */
    VOIP_DEPARTURE_SLOW_READER = 3,
    /** It broke the protocol. */
    VOIP_DEPARTURE_MISBEHAVED = 4,
    /** It goes by another name now. */
    VOIP_DEPARTURE_RENAMED = 5,
} voip_departure;

/** Which way a message went. */
typedef enum voip_wire_direction {
    /** To the tracker. */
    VOIP_WIRE_DIRECTION_IN = 0,
    /** From the tracker. */
    VOIP_WIRE_DIRECTION_OUT = 1,
} voip_wire_direction;

/** An event of a tracker. There is nothing to free. */
typedef struct voip_tracker_event {
    /** In: sizeof(voip_tracker_event). */
    size_t size;
    /** What happened. */
    voip_tracker_event_kind kind;
    /** How many peers are online now. */
    uint32_t online;
    /** The peer's name. */
    char name[VOIP_NAME_SIZE];
    /** The peer's key. */
    char id[VOIP_ID_SIZE];
    /** Where its connection comes from, "ip:port". */
    char from[VOIP_ADDRESS_SIZE];
    /** How the peer went. */
    voip_departure why;
    /** Which way the message went. */
    voip_wire_direction direction;
    /**
     * The message, JSON, or what came in place of it. It lives until this thread asks for the next
     * event of a tracker, or the thread's end; do not free it.
     */
    const char *text;
    /** The name of the other of two peers. */
    char other_name[VOIP_NAME_SIZE];
    /** Its key. */
    char other_id[VOIP_ID_SIZE];
} voip_tracker_event;

/** What a tracker has seen. All but the first two members count from its start. */
typedef struct voip_tracker_stats {
    /** In: sizeof(voip_tracker_stats). */
    size_t size;
    /** Connections now. */
    uint64_t connections;
    /** Peers registered now. */
    uint64_t online;
    /** Connections accepted. */
    uint64_t accepted;
    /** Of them: turned away at once, because there were too many. */
    uint64_t turned_away;
    /** Times that accepting paused because the system had no descriptor left. */
    uint64_t accept_pauses;
    /** Registrations refused: version, form, dates, name, signature. */
    uint64_t registrations_refused;
    /** Connections ended because their key registered on another. */
    uint64_t replaced;
    /** Connections ended because nothing, or too little, came in time. */
    uint64_t timeouts;
    /** Connections ended because the peer did not read. */
    uint64_t slow_readers;
    /** Frames that were no message, and WebSockets that broke their protocol. */
    uint64_t malformed;
    /** Frames or signals longer than allowed. */
    uint64_t too_long;
    /** Messages of a type unknown to this version. */
    uint64_t unknown_type;
    /** Requests of peers that were not registered. */
    uint64_t not_registered;
    /** Requests refused because there were too many, of the sender or for the addressee. */
    uint64_t rate_limited;
    /** Signals handed on. */
    uint64_t relayed;
    /** Signals to peers that were not online. */
    uint64_t undeliverable;
    /** Datagrams answered with the address they came from. */
    uint64_t stun_answered;
    /** Datagrams dropped: no plain binding request, or too many of one network. */
    uint64_t stun_dropped;
    /** Events dropped because nobody fetched them. */
    uint64_t events_dropped;
    /** Allocations at the relay now. */
    uint64_t relay_allocations;
    /** Packets that the relay passed on. */
    uint64_t relay_packets;
    /** Bytes in them, as the peers sent them. */
    uint64_t relay_bytes;
    /** Packets that the relay dropped: too many, not permitted, of no call. */
    uint64_t relay_dropped;
    /** Requests that the relay refused or left without an answer. */
    uint64_t relay_refused;
    /** Connections in TLS, counted when the handshake is done. */
    uint64_t tls;
    /** Connections by WebSocket, plain or in TLS, counted when the handshake is done. */
    uint64_t websockets;
    /** Connections ended because a handshake of TLS or of a WebSocket failed. */
    uint64_t handshakes_failed;
    /** Connections turned away because they were not in TLS. */
    uint64_t tls_required;
} voip_tracker_stats;

/**
 * What happened next at a tracker, waiting for it for at most timeout_ms. The last 4096 events
 * are kept for whoever asks late; events_dropped of voip_tracker_stats counts the rest.
 *
 * Errors: VOIP_TIMED_OUT; VOIP_CLOSED once the tracker is closed and its events have been
 * read.
 */
voip_status voip_tracker_next_event(const voip_tracker *tracker,
                                    voip_tracker_event *event,
                                    uint32_t timeout_ms);

/** Counters, a moment old. Does not block. */
voip_status voip_tracker_get_stats(const voip_tracker *tracker, voip_tracker_stats *stats);

#ifdef __cplusplus
}
#endif

#endif /* VOIP_H */
