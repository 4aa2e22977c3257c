// Measures toxav, the voice calls of Tox: two instances in one process, calls over loopback.
//
//   cc -O2 toxbench.c -o toxbench -ldl -lm -lpthread $(pkg-config --cflags --libs toxcore)
//   ./toxbench CALLS SECONDS KBIT/S FRAME_MS SPEECH
//
// SPEECH: what both say over and over, 48 kHz mono, 16 bit, no header, softer than LOUD.
//
// Prints one line of JSON. What it does is done in just the same way to this project's library by
// benches/src/bin/versus_toxav/ours.rs; whoever changes one changes the other.
//
// It is toxav's best case: friends added already, bootstrapped directly, one loop per instance that
// iterates Tox and ToxAV together (with a thread of its own the sound comes later), and no sound card.
// Both say soft speech without end, since libopus makes its FEC copies of nothing but voice. A's has a
// tone of 60 ms every 300 ms. The delay is the time from handing over the frame that begins a tone to the
// callback with the first sample of B's above LOUD.
// Part of this project, MIT OR Apache-2.0; links to toxcore (GPL-3.0), which is not part of it.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <tox/tox.h>
#include <tox/toxav.h>
#include <unistd.h>

enum { RATE = 48000, BURST_MS = 60, EVERY_MS = 300, LOUD = 3000, MAX = 100000, MAX_CALLS = 200 };

struct side {
    Tox *tox;
    ToxAV *av;
    atomic_int ringing, state, frames;
    _Atomic double first_audio;
};

static struct side a, b;
static atomic_int running = 1, sending;
static int16_t *speech;
static long speech_samples;
static int frame_ms = 20;
static atomic_int frames_sent;
// When A handed over the latest tone, and what B found of them.
static _Atomic double tone_at;
static atomic_int tones, measuring;
static double delays[MAX];
static int delays_found, last_tone_found;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

static double cpu_seconds(void)
{
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    return r.ru_utime.tv_sec + r.ru_stime.tv_sec + (r.ru_utime.tv_usec + r.ru_stime.tv_usec) * 1e-6;
}

static long resident_kb(void)
{
    FILE *status = fopen("/proc/self/status", "r");
    char text[256];
    long kb = 0;
    while (fgets(text, sizeof text, status))
        if (!strncmp(text, "VmRSS:", 6))
            kb = atol(text + 6);
    fclose(status);
    return kb;
}

static void on_call(ToxAV *av, uint32_t friend, bool audio, bool video, void *user)
{
    (void)av, (void)friend, (void)audio, (void)video;
    ((struct side *)user)->ringing = 1;
}

static void on_state(ToxAV *av, uint32_t friend, uint32_t state, void *user)
{
    (void)av, (void)friend;
    ((struct side *)user)->state = (int)state;
}

// Notes the delay of the latest tone when its first loud sample comes after 200 ms of quiet.
static void find_tone(const int16_t *pcm, size_t count, double t)
{
    static double quiet_until;
    for (size_t i = 0; i < count; i++) {
        if (abs(pcm[i]) <= LOUD)
            continue;
        double at = t + (double)i / RATE;
        int tone = tones;
        if (at > quiet_until && tone != last_tone_found) {
            last_tone_found = tone;
            if (measuring && delays_found < MAX)
                delays[delays_found++] = t - tone_at;
        }
        quiet_until = at + 0.2;
    }
}

static void on_audio(ToxAV *av, uint32_t friend, const int16_t *pcm, size_t count, uint8_t channels,
                     uint32_t rate, void *user)
{
    struct side *side = user;
    double t = now();
    (void)av, (void)friend, (void)channels, (void)rate;
    if (side->first_audio == 0)
        side->first_audio = t;
    side->frames++;
    if (side == &b)
        find_tone(pcm, count, t);
}

static void *iterate(void *user)
{
    struct side *side = user;
    while (running) {
        tox_iterate(side->tox, side);
        toxav_iterate(side->av);
        uint32_t wait = tox_iteration_interval(side->tox);
        uint32_t wait_av = toxav_iteration_interval(side->av);
        usleep((wait_av < wait ? wait_av : wait) * 1000);
    }
    return NULL;
}

static void fail(const char *what)
{
    fprintf(stderr, "toxbench: %s\n", what);
    exit(1);
}

static void load_speech(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END))
        fail("no speech");
    speech_samples = ftell(file) / (long)sizeof *speech;
    rewind(file);
    speech = calloc(speech_samples + 1, sizeof *speech);
    if (speech_samples < RATE || fread(speech, sizeof *speech, speech_samples, file) != (size_t)speech_samples)
        fail("less than a second of speech");
    fclose(file);
}

// Speech in real time, frame by frame; A's with tones, B's half the clip later.
static void *speak(void *user)
{
    struct side *side = user;
    int samples = RATE * frame_ms / 1000;
    int every = EVERY_MS / frame_ms, length = BURST_MS / frame_ms;
    int16_t *pcm = calloc(samples, sizeof *pcm);
    long at = side == &a ? 0 : speech_samples / 2;
    double phase = 0;
    struct timespec next;
    clock_gettime(CLOCK_MONOTONIC, &next);
    for (long frame = 0; sending; frame++) {
        int tone = side == &a && frame >= every && frame % every < length;
        for (int i = 0; i < samples; i++) {
            pcm[i] = speech[at++ % speech_samples];
            if (tone)
                pcm[i] += (int16_t)(12000 * sin(phase));
            phase = tone ? phase + 2 * M_PI * 1000 / RATE : 0;
        }
        if (tone && frame % every == 0) {
            tone_at = now();
            tones++;
        }
        if (toxav_audio_send_frame(side->av, 0, pcm, samples, 1, RATE, NULL) && side == &a)
            frames_sent++;
        next.tv_nsec += frame_ms * 1000000L;
        next.tv_sec += next.tv_nsec / 1000000000L;
        next.tv_nsec %= 1000000000L;
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
    }
    free(pcm);
    return NULL;
}

static void open_side(struct side *side, uint16_t port)
{
    struct Tox_Options *options = tox_options_new(NULL);
    tox_options_set_local_discovery_enabled(options, false);
    tox_options_set_ipv6_enabled(options, false);
    tox_options_set_start_port(options, port);
    tox_options_set_end_port(options, port + 100);
    tox_options_set_experimental_thread_safety(options, true);
    side->tox = tox_new(options, NULL);
    side->av = side->tox ? toxav_new(side->tox, NULL) : NULL;
    if (!side->av) {
        fprintf(stderr, "toxbench: no instance of Tox\n");
        exit(1);
    }
    tox_options_free(options);
    toxav_callback_call(side->av, on_call, side);
    toxav_callback_call_state(side->av, on_state, side);
    toxav_callback_audio_receive_frame(side->av, on_audio, side);
}

static void befriend(struct side *side, struct side *other)
{
    uint8_t key[TOX_PUBLIC_KEY_SIZE];
    tox_self_get_public_key(other->tox, key);
    tox_friend_add_norequest(side->tox, key, NULL);
}

static bool online(struct side *side)
{
    return tox_friend_get_connection_status(side->tox, 0, NULL) == TOX_CONNECTION_UDP;
}

#define WAIT_UNTIL(condition, limit, what)                                                             \
    for (double since_ = now(); !(condition); usleep(200))                                             \
        if (now() - since_ > (limit))                                                                  \
            fail(what);

static void print_list(const char *name, const double *seconds, int count)
{
    printf("\"%s\":[", name);
    for (int i = 0; i < count; i++)
        printf("%s%.3f", i ? "," : "", seconds[i] * 1e3);
    printf("],");
}

int main(int argc, char **argv)
{
    if (argc != 6)
        fail("usage: toxbench CALLS SECONDS KBIT/S FRAME_MS SPEECH");
    int calls = atoi(argv[1]), seconds = atoi(argv[2]), kbits = atoi(argv[3]);
    frame_ms = atoi(argv[4]);
    if (calls < 1 || calls > MAX_CALLS || (frame_ms != 10 && frame_ms != 20))
        fail("1 to 200 calls, frames of 10 or 20 ms");
    load_speech(argv[5]);
    void (*counts)(uint64_t[3]) = (void (*)(uint64_t[3]))dlsym(RTLD_DEFAULT, "impair_counts");
    uint64_t before[3] = { 0 }, after[3] = { 0 };

    long rss_base = resident_kb();
    double begun = now();
    open_side(&a, 34001);
    open_side(&b, 34201);
    befriend(&a, &b);
    befriend(&b, &a);
    uint8_t id[TOX_PUBLIC_KEY_SIZE];
    tox_self_get_dht_id(a.tox, id);
    tox_bootstrap(b.tox, "127.0.0.1", tox_self_get_udp_port(a.tox, NULL), id, NULL);
    pthread_t loops[2];
    pthread_create(&loops[0], NULL, iterate, &a);
    pthread_create(&loops[1], NULL, iterate, &b);
    WAIT_UNTIL(online(&a) && online(&b), 60, "the friends did not come online");
    double online_s = now() - begun;
    usleep(1000000);

    double first_audio[MAX_CALLS], answered[MAX_CALLS], cpu = 0, lasted = 0;
    int sent = 0, heard = 0;
    long rss = 0;
    for (int i = 0; i < calls; i++) {
        a.state = b.ringing = 0;
        a.first_audio = b.first_audio = 0;
        double placed = now();
        if (!toxav_call(a.av, 0, kbits, 0, NULL))
            fail("the call was not placed");
        WAIT_UNTIL(b.ringing, 10, "no ringing");
        if (!toxav_answer(b.av, 0, kbits, 0, NULL))
            fail("the call was not answered");
        WAIT_UNTIL(a.state, 10, "no answer");
        answered[i] = now() - placed;
        sending = 1;
        pthread_t speakers[2];
        pthread_create(&speakers[0], NULL, speak, &a);
        pthread_create(&speakers[1], NULL, speak, &b);
        WAIT_UNTIL(b.first_audio, 10, "no sound");
        first_audio[i] = b.first_audio - placed;
        if (i == calls - 1) { // the call that is measured
            usleep(2000000);
            if (counts)
                counts(before);
            int sent_before = frames_sent, heard_before = b.frames;
            double cpu_before = cpu_seconds(), from = now();
            measuring = 1;
            sleep(seconds);
            measuring = 0;
            cpu = cpu_seconds() - cpu_before;
            lasted = now() - from;
            sent = frames_sent - sent_before;
            heard = b.frames - heard_before;
            if (counts)
                counts(after);
            rss = resident_kb();
        } else {
            usleep(500000);
        }
        sending = 0;
        pthread_join(speakers[0], NULL);
        pthread_join(speakers[1], NULL);
        toxav_call_control(a.av, 0, TOXAV_CALL_CONTROL_CANCEL, NULL);
        usleep(500000);
    }
    running = 0;

    printf("{\"online_ms\":%.1f,", online_s * 1e3);
    print_list("answered_ms", answered, calls);
    print_list("first_audio_ms", first_audio, calls);
    print_list("one_way_ms", delays, delays_found);
    // Each second of a call is two endpoint-seconds.
    printf("\"cpu_ms_per_s\":%.3f,", cpu / lasted / 2 * 1e3);
    printf("\"rss_kb\":%.1f,", (rss - rss_base) / 2.0);
    printf("\"frames_sent\":%d,\"frames_heard\":%d", sent, heard);
    if (counts) {
        double datagrams = (double)(after[0] - before[0]), dropped = (double)(after[1] - before[1]);
        double bytes = (double)(after[2] - before[2]) + 28 * datagrams; // IPv4 and UDP headers
        printf(",\"packets_per_s\":%.2f", datagrams / lasted / 2);
        printf(",\"wire_kbit_per_s\":%.2f", bytes * 8 / 1000 / lasted / 2);
        printf(",\"dropped_pct\":%.2f", datagrams > 0 ? 100 * dropped / datagrams : 0);
    }
    printf(",\"toxcore\":\"%u.%u.%u\"}\n", tox_version_major(), tox_version_minor(), tox_version_patch());
    return 0;
}
