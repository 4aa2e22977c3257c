// A worse line for any program: preload this and every UDP datagram it sends is dropped or held back by
// chance, and counted. So two programs can be compared on the same line, whatever they are written in.
//
//   cc -shared -fPIC -O2 impair.c -o impair.so -ldl -lpthread
//   LOSS=5 JITTER=40 SEED=1 LD_PRELOAD=./impair.so program
//
// LOSS: per cent dropped. JITTER: each datagram is delayed by 0 to so many milliseconds, uniformly, and so
// comes out of order. Without either it only counts. All datagrams are treated alike, media or not.
//
// Covers sendto, sendmsg and sendmmsg with an address; a message is one datagram (no segmentation offload).
// Part of this project, MIT OR Apache-2.0.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { MAX_DATAGRAM = 2048, MAX_CONTROL = 128 };

struct delayed {
    struct delayed *next;
    int64_t due;
    int fd;
    struct sockaddr_storage address;
    socklen_t address_length;
    char control[MAX_CONTROL];
    size_t control_length;
    char bytes[MAX_DATAGRAM];
    size_t length;
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct delayed *first;
    uint64_t random;
    double loss;
    double jitter_ns;
    uint64_t sent, dropped, bytes;
} line = { .lock = PTHREAD_MUTEX_INITIALIZER };

static ssize_t (*real_sendmsg)(int, const struct msghdr *, int);

// What was handed over to be sent, how much of it was dropped, and its bytes (UDP payload).
// The measuring program looks this function up by its name.
void impair_counts(uint64_t counts[3])
{
    pthread_mutex_lock(&line.lock);
    counts[0] = line.sent;
    counts[1] = line.dropped;
    counts[2] = line.bytes;
    pthread_mutex_unlock(&line.lock);
}

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

// Uniform in 0..1 (xorshift64*).
static double chance(void)
{
    line.random ^= line.random >> 12;
    line.random ^= line.random << 25;
    line.random ^= line.random >> 27;
    return (double)((line.random * 0x2545F4914F6CDD1DULL) >> 11) / (double)(1ULL << 53);
}

static void send_delayed(struct delayed *d)
{
    struct iovec part = { .iov_base = d->bytes, .iov_len = d->length };
    struct msghdr message = {
        .msg_name = &d->address,
        .msg_namelen = d->address_length,
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = d->control_length ? d->control : NULL,
        .msg_controllen = d->control_length,
    };
    real_sendmsg(d->fd, &message, MSG_DONTWAIT);
    free(d);
}

static void *run(void *unused)
{
    pthread_mutex_lock(&line.lock);
    for (;;) {
        struct delayed *first = line.first;
        if (!first) {
            pthread_cond_wait(&line.changed, &line.lock);
        } else if (first->due <= now_ns()) {
            line.first = first->next;
            pthread_mutex_unlock(&line.lock);
            send_delayed(first);
            pthread_mutex_lock(&line.lock);
        } else {
            struct timespec until = { first->due / 1000000000LL, first->due % 1000000000LL };
            pthread_cond_timedwait(&line.changed, &line.lock, &until);
        }
    }
    return unused;
}

static double number(const char *name)
{
    const char *text = getenv(name);
    return text ? atof(text) : 0;
}

static void start(void)
{
    real_sendmsg = (ssize_t(*)(int, const struct msghdr *, int))dlsym(RTLD_NEXT, "sendmsg");
    line.loss = number("LOSS") / 100;
    line.jitter_ns = number("JITTER") * 1e6;
    line.random = (uint64_t)number("SEED") * 0x9E3779B97F4A7C15ULL + 0x9E3779B97F4A7C15ULL;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&line.changed, &monotonic);
    if (line.jitter_ns > 0) {
        pthread_t thread;
        pthread_create(&thread, NULL, run, NULL);
    }
}

static bool is_datagram(const struct msghdr *m)
{
    const struct sockaddr *a = m->msg_name;
    return a && (a->sa_family == AF_INET || a->sa_family == AF_INET6);
}

static size_t total(const struct msghdr *m)
{
    size_t length = 0;
    for (size_t i = 0; i < m->msg_iovlen; i++)
        length += m->msg_iov[i].iov_len;
    return length;
}

static struct delayed *copy(int fd, const struct msghdr *m)
{
    struct delayed *d = calloc(1, sizeof *d);
    d->fd = fd;
    memcpy(&d->address, m->msg_name, m->msg_namelen);
    d->address_length = m->msg_namelen;
    if (m->msg_control && m->msg_controllen <= MAX_CONTROL) {
        memcpy(d->control, m->msg_control, m->msg_controllen);
        d->control_length = m->msg_controllen;
    }
    for (size_t i = 0; i < m->msg_iovlen; i++) {
        memcpy(d->bytes + d->length, m->msg_iov[i].iov_base, m->msg_iov[i].iov_len);
        d->length += m->msg_iov[i].iov_len;
    }
    return d;
}

// In order of their times; those of one time in the order they were sent.
static void enqueue(struct delayed *d)
{
    struct delayed **at = &line.first;
    while (*at && (*at)->due <= d->due)
        at = &(*at)->next;
    d->next = *at;
    *at = d;
    pthread_cond_signal(&line.changed);
}

ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, start);
    size_t length = total(m);
    if (!is_datagram(m) || length > MAX_DATAGRAM)
        return real_sendmsg(fd, m, flags);
    pthread_mutex_lock(&line.lock);
    bool drop = chance() < line.loss;
    int64_t delay = (int64_t)(chance() * line.jitter_ns);
    line.sent++;
    line.bytes += length;
    line.dropped += drop;
    bool held = !drop && line.jitter_ns > 0;
    if (held) {
        struct delayed *d = copy(fd, m);
        d->due = now_ns() + delay;
        enqueue(d);
    }
    pthread_mutex_unlock(&line.lock);
    return drop || held ? (ssize_t)length : real_sendmsg(fd, m, flags);
}

ssize_t sendto(int fd, const void *bytes, size_t length, int flags, const struct sockaddr *address,
               socklen_t address_length)
{
    struct iovec part = { .iov_base = (void *)bytes, .iov_len = length };
    struct msghdr message = {
        .msg_name = (void *)address,
        .msg_namelen = address ? address_length : 0,
        .msg_iov = &part,
        .msg_iovlen = 1,
    };
    return sendmsg(fd, &message, flags);
}

int sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    for (unsigned i = 0; i < count; i++) {
        ssize_t length = sendmsg(fd, &messages[i].msg_hdr, flags);
        if (length < 0)
            return i ? (int)i : -1;
        messages[i].msg_len = (unsigned)length;
    }
    return (int)count;
}
