/* A load generator for AMQP 0-9-1: raw sockets, frames encoded once, one thread, one poll loop.
 *
 * amqp_load PORT MODE SECONDS [BODY]
 *   MODE auto      publish and deliver, automatic acknowledgement
 *        ack       prefetch 100, every delivery acknowledged by itself
 *        ack1      the same with prefetch 1
 *        ackall    the same without a prefetch
 *        multiple  prefetch 100, one acknowledgement for all that one read brought
 *        confirm   publisher confirms, at most 1,000 outstanding; deliveries as in auto
 *        single    publisher confirms, each waited for
 *        batch     publisher confirms, 100 published and then waited for
 *        keep      the same, at most 1,000, persistent to a durable queue without a consumer, which
 *                  is purged before it has so much that publishers have to wait
 *        keepack   the same with one that acknowledges each delivery
 *        fanout    one exchange, ten queues; what is counted are publishes
 *        fanout100 one exchange, a hundred queues
 *        topic     a topic exchange with 10,000 bindings, of which one matches; 100 keys in turn
 *        headers   a headers exchange with 100 bindings, of which one matches
 *        priority  a queue with 10 priorities, which messages have in turn
 *        ids       each of a hundred messages has a message id of its own, as most programs' have
 *        ttl       a queue whose messages expire after a minute
 *        deep      SECONDS is how many messages are published first, and then all delivered; what
 *                  counts is the time of both
 * Prints messages per second, after half a second to warm up, and the 99th percentile in us of how
 * long one took from being handed to the socket's buffer until it was delivered, or confirmed where
 * there are confirms (0 where that says nothing: priorities change the order, and all of a deep
 * queue wait). Every delivery's content is compared with what was published, of frames
 * over 2 KB each sixteenth message's whole and of the others both ends.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

typedef struct { uint8_t *data; size_t size, room; } Buffer;

static void fail(const char *what) { perror(what); exit(1); }

static void add(Buffer *b, const void *data, size_t size) {
    if (b->size + size > b->room) {
        b->room = (b->size + size) * 2;
        b->data = realloc(b->data, b->room);
    }
    memcpy(b->data + b->size, data, size);
    b->size += size;
}
static void u8(Buffer *b, unsigned v) { uint8_t c = v; add(b, &c, 1); }
static void u16(Buffer *b, unsigned v) { u8(b, v >> 8); u8(b, v & 255); }
static void u32(Buffer *b, uint32_t v) { u16(b, v >> 16); u16(b, v & 65535); }
static void u64(Buffer *b, uint64_t v) { u32(b, v >> 32); u32(b, (uint32_t)v); }
static void shortstr(Buffer *b, const char *s) { u8(b, strlen(s)); add(b, s, strlen(s)); }

static size_t begin(Buffer *b, int type, int channel) {
    u8(b, type); u16(b, channel); u32(b, 0);
    return b->size;
}
static void end(Buffer *b, size_t start) {
    uint32_t size = b->size - start;
    for (int i = 0; i < 4; i++) b->data[start - 4 + i] = size >> (24 - 8 * i);
    u8(b, 0xCE);
}
static size_t method(Buffer *b, int channel, int major, int minor) {
    size_t start = begin(b, 1, channel);
    u16(b, major); u16(b, minor);
    return start;
}

static void send_all(int fd, Buffer *b) {
    for (size_t at = 0; at < b->size;) {
        ssize_t n = write(fd, b->data + at, b->size - at);
        if (n < 0) fail("write");
        at += n;
    }
    b->size = 0;
}
static void read_all(int fd, uint8_t *to, size_t size) {
    while (size) {
        ssize_t n = read(fd, to, size);
        if (n <= 0) { fprintf(stderr, "the broker hung up\n"); exit(1); }
        to += n; size -= n;
    }
}
static void await(int fd, int major, int minor) {
    uint8_t head[7], payload[1 << 17];
    for (;;) {
        read_all(fd, head, 7);
        uint32_t size = head[3] << 24 | head[4] << 16 | head[5] << 8 | head[6];
        read_all(fd, payload, size + 1);
        if (head[0] != 1) continue;
        int got_major = payload[0] << 8 | payload[1], got_minor = payload[2] << 8 | payload[3];
        if (got_major == major && got_minor == minor) return;
        fprintf(stderr, "%d.%d came, not %d.%d: %.*s\n", got_major, got_minor, major, minor,
                (int)size - 7, payload + 7);
        exit(1);
    }
}

static int dial(int port) {
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, (struct sockaddr *)&to, sizeof to)) fail("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    Buffer b = {0};
    size_t m;
    add(&b, "AMQP\0\0\x09\x01", 8); send_all(fd, &b); await(fd, 10, 10);
    m = method(&b, 0, 10, 11); u32(&b, 0); shortstr(&b, "PLAIN");
    u32(&b, 12); add(&b, "\0guest\0guest", 12); shortstr(&b, "en_US"); end(&b, m);
    send_all(fd, &b); await(fd, 10, 30);
    m = method(&b, 0, 10, 31); u16(&b, 2047); u32(&b, 131072); u16(&b, 0); end(&b, m);
    m = method(&b, 0, 10, 40); shortstr(&b, "/"); u8(&b, 0); u8(&b, 0); end(&b, m);
    send_all(fd, &b); await(fd, 10, 41);
    m = method(&b, 1, 20, 10); u8(&b, 0); end(&b, m);
    send_all(fd, &b); await(fd, 20, 11);
    return fd;
}

typedef struct {
    const char *name;
    int acks;     /* 0 automatic, 1 each, 2 in groups; -1: nobody consumes */
    int prefetch;
    int window;   /* messages on their way; with confirms, not yet confirmed */
    int confirms; /* 2: all of a window before the next one */
    int copies;
    const char *type;
    int bindings, keys;
    const char *argument;
    uint32_t value;
} Mode;
static const Mode MODES[] = {
    {"auto", 0, 0, 5000, 0, 1, "", 0, 1, "", 0},
    {"ack", 1, 100, 5000, 0, 1, "", 0, 1, "", 0},
    {"ack1", 1, 1, 5000, 0, 1, "", 0, 1, "", 0},
    {"ackall", 1, 0, 5000, 0, 1, "", 0, 1, "", 0},
    {"multiple", 2, 100, 5000, 0, 1, "", 0, 1, "", 0},
    {"confirm", 0, 0, 1000, 1, 1, "", 0, 1, "", 0},
    {"single", 0, 0, 1, 1, 1, "", 0, 1, "", 0},
    {"batch", 0, 0, 100, 2, 1, "", 0, 1, "", 0},
    {"keep", -1, 0, 1000, 1, 1, "", 0, 1, "", 0},
    {"keepack", 1, 0, 1000, 1, 1, "", 0, 1, "", 0},
    {"fanout", 0, 0, 5000, 0, 10, "fanout", 1, 1, "", 0},
    {"fanout100", 0, 0, 500, 0, 100, "fanout", 1, 1, "", 0},
    {"topic", 0, 0, 5000, 0, 1, "topic", 10000, 100, "", 0},
    {"headers", 0, 0, 5000, 0, 1, "headers", 100, 1, "", 0},
    {"priority", 0, 0, 5000, 0, 1, "", 0, 10, "x-max-priority", 9},
    {"ids", 0, 0, 5000, 0, 1, "", 0, 100, "", 0},
    {"ttl", 0, 0, 5000, 0, 1, "", 0, 1, "x-message-ttl", 60000},
    {"deep", 0, 0, 0, 0, 1, "", 0, 1, "", 0},
};

static int keeps(const Mode *mode) { return !strncmp(mode->name, "keep", 4); }

static size_t open_table(Buffer *b) { u32(b, 0); return b->size; }
static void close_table(Buffer *b, size_t start) {
    uint32_t size = b->size - start;
    for (int i = 0; i < 4; i++) b->data[start - 4 + i] = size >> (24 - 8 * i);
}
static void text_item(Buffer *b, const char *name, const char *value) {
    shortstr(b, name); u8(b, 'S'); u32(b, strlen(value)); add(b, value, strlen(value));
}
static void number_item(Buffer *b, const char *name, uint32_t value) {
    shortstr(b, name); u8(b, 'I'); u32(b, value);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

/* Bytes of bodies in a queue that nobody consumes from: a broker takes no more when its memory is
 * full, which has nothing to do with how fast it is. */
static const uint64_t MOST_KEPT = 128 << 20;

/* Returns how long it took: that is not the publisher's time. */
static double purge(int fd, const char *queue) {
    double began = now();
    Buffer b = {0};
    size_t m = method(&b, 1, 50, 30);
    u16(&b, 0); shortstr(&b, queue); u8(&b, 0); end(&b, m);
    fcntl(fd, F_SETFL, 0);
    send_all(fd, &b); await(fd, 50, 31);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    free(b.data);
    return now() - began;
}

/* Only the last one is answered, so that thousands are quick. */
static void bind_all(int fd, const char *queue, const char *exchange, const Mode *mode) {
    Buffer b = {0};
    for (int i = 0; i < mode->bindings; i++) {
        char key[32] = "", value[16];
        if (!strcmp(mode->type, "topic")) snprintf(key, sizeof key, "key.%d.*", i);
        size_t m = method(&b, 1, 50, 20), t;
        u16(&b, 0); shortstr(&b, queue); shortstr(&b, exchange); shortstr(&b, key);
        u8(&b, i < mode->bindings - 1);
        t = open_table(&b);
        if (!strcmp(mode->type, "headers")) {
            snprintf(value, sizeof value, "v%d", i);
            text_item(&b, "x-match", "all");
            text_item(&b, "k", value);
        }
        close_table(&b, t);
        end(&b, m);
        if (b.size > 30000) send_all(fd, &b);
    }
    send_all(fd, &b); await(fd, 50, 21);
}

static void declare(int fd, const char *queue, const char *exchange, const Mode *mode) {
    Buffer b = {0};
    size_t m = method(&b, 1, 50, 10), t;
    u16(&b, 0); shortstr(&b, queue); u8(&b, keeps(mode) ? 2 /* durable */ : 4 /* exclusive */);
    t = open_table(&b);
    if (*mode->argument) number_item(&b, mode->argument, mode->value);
    close_table(&b, t);
    end(&b, m);
    send_all(fd, &b); await(fd, 50, 11);
    if (*exchange) bind_all(fd, queue, exchange, mode);
}

static void consume(int fd, const char *queue, int no_ack, int number) {
    Buffer b = {0};
    char tag[16];
    size_t m;
    snprintf(tag, sizeof tag, "c%d", number);
    m = method(&b, 1, 60, 20);
    u16(&b, 0); shortstr(&b, queue); shortstr(&b, tag); u8(&b, no_ack ? 2 : 0);
    u32(&b, 0); end(&b, m);
    send_all(fd, &b); await(fd, 60, 21);
}

/* When those were published that are on their way; what came is counted by its microseconds. */
#define ON_THE_WAY 8192
#define SLOWEST (1 << 22)
static double published_at[ON_THE_WAY];
static uint32_t took[SLOWEST];

static void arrived(uint64_t from, uint64_t to, double t) {
    for (; from < to; from++) {
        double us = (t - published_at[from % ON_THE_WAY]) * 1e6;
        took[us < SLOWEST - 1 ? (int)us : SLOWEST - 1]++;
    }
}
static int slowest_of(double share) {
    uint64_t all = 0, seen = 0;
    int us = 0;
    for (int i = 0; i < SLOWEST; i++) all += took[i];
    while (us < SLOWEST - 1 && (seen += took[us]) < all * share) us++;
    return us;
}

#define READ_AT_MOST (1 << 18)
#define AT_A_TIME 4
#define COMPARED 16
#define ENDS 1024
typedef struct {
    int fd;
    uint8_t room[1 << 22], *data; /* `size` bytes at `data` are not looked at yet. */
    size_t size;
    Buffer out;
    size_t sent;
} Peer;

/* Read once; returns how many bytes of whole frames lie at the start of `data`. */
static size_t fill(Peer *p) {
    if (!p->data || p->data + p->size + READ_AT_MOST > p->room + sizeof p->room) {
        memmove(p->room, p->data, p->size);
        p->data = p->room;
    }
    ssize_t n = read(p->fd, p->data + p->size, READ_AT_MOST);
    if (n == 0) { fprintf(stderr, "the broker hung up\n"); exit(1); }
    if (n < 0) { if (errno == EAGAIN) return 0; fail("read"); }
    p->size += n;
    size_t at = 0;
    while (p->size - at >= 8) {
        uint8_t *f = p->data + at;
        size_t whole = 8 + ((size_t)f[3] << 24 | f[4] << 16 | f[5] << 8 | f[6]);
        if (p->size - at < whole) break;
        at += whole;
    }
    return at;
}
static void drop(Peer *p, size_t whole) {
    p->size -= whole;
    p->data = p->size ? p->data + whole : p->room;
}
static void drain(Peer *p) {
    while (p->sent < p->out.size) {
        ssize_t n = write(p->fd, p->out.data + p->sent, p->out.size - p->sent);
        if (n < 0) { if (errno == EAGAIN) return; fail("write"); }
        p->sent += n;
    }
    p->out.size = p->sent = 0;
}

static int alike(const uint8_t *came, const uint8_t *sent, size_t size, int in_part) {
    if (!in_part || size < 2 * ENDS) return !memcmp(came, sent, size);
    return !memcmp(came, sent, ENDS) && !memcmp(came + size - ENDS, sent + size - ENDS, ENDS);
}

int main(int argc, char **argv) {
    if (argc < 4) { fprintf(stderr, "amqp_load PORT MODE SECONDS [BODY]\n"); return 2; }
    int port = atoi(argv[1]), body_size = argc > 4 ? atoi(argv[4]) : 100;
    double seconds = atof(argv[3]);
    const Mode *mode = NULL;
    for (size_t i = 0; i < sizeof MODES / sizeof *MODES; i++)
        if (!strcmp(MODES[i].name, argv[2])) mode = &MODES[i];
    if (!mode) { fprintf(stderr, "no mode %s\n", argv[2]); return 2; }
    int deep = !strcmp(mode->name, "deep"), copies = mode->copies;
    int by_headers = !strcmp(mode->type, "headers"), by_priority = !!strstr(mode->argument, "priority");
    int by_ids = !strcmp(mode->name, "ids");
    char exchange[32] = "", queue[32];
    static Peer in, out;
    Buffer b = {0};
    size_t m;

    in.fd = dial(port);
    out.fd = dial(port);
    if (*mode->type) {
        snprintf(exchange, sizeof exchange, "load-%s-%d", mode->type, getpid());
        m = method(&b, 1, 40, 10);
        u16(&b, 0); shortstr(&b, exchange); shortstr(&b, mode->type); u8(&b, 4 /* auto-delete */);
        u32(&b, 0); end(&b, m); send_all(in.fd, &b); await(in.fd, 40, 11);
    }
    if (mode->prefetch) {
        m = method(&b, 1, 60, 10); u32(&b, 0); u16(&b, mode->prefetch); u8(&b, 0); end(&b, m);
        send_all(in.fd, &b); await(in.fd, 60, 11);
    }
    for (int i = 0; i < copies; i++) {
        snprintf(queue, sizeof queue, "load-%d-%d", getpid(), i);
        declare(in.fd, queue, exchange, mode);
        if (!deep && mode->acks >= 0) consume(in.fd, queue, !mode->acks, i);
    }
    if (mode->confirms) {
        m = method(&b, 1, 85, 10); u8(&b, 0); end(&b, m);
        send_all(out.fd, &b); await(out.fd, 85, 11);
    }

    /* One message for each key; their contents have one size. */
    Buffer messages[100] = {0};
    size_t content = 0, content_size = 0, first_content = 0;
    for (int k = 0; k < mode->keys; k++) {
        Buffer *message = &messages[k];
        char key[32];
        snprintf(key, sizeof key, "key.%d.x", k * (mode->bindings / mode->keys));
        m = method(message, 1, 60, 40);
        u16(message, 0); shortstr(message, exchange);
        shortstr(message, *exchange ? key : queue);
        u8(message, 0); end(message, m);
        content = message->size;
        if (!k) first_content = content;
        m = begin(message, 2, 1);
        u16(message, 60); u16(message, 0); u64(message, body_size);
        u16(message, 1 << 15 | by_headers << 13 | 1 << 12 | by_priority << 11 | 1 << 7 | 1 << 6);
        shortstr(message, "application/json");
        if (by_headers) {
            size_t t = open_table(message);
            text_item(message, "k", "v42");
            close_table(message, t);
        }
        u8(message, keeps(mode) ? 2 : 1);
        if (by_priority) u8(message, k);
        char id[32];
        snprintf(id, sizeof id, "0123456789abcd%02d", k);
        shortstr(message, by_ids ? id : "0123456789abcdef");
        u64(message, 1700000000); end(message, m);
        for (int left = body_size; left > 0;) {
            int size = left > 131064 ? 131064 : left;
            m = begin(message, 3, 1);
            for (int i = 0; i < size; i++) u8(message, 'a' + i % 26);
            end(message, m);
            left -= size;
        }
        content_size = message->size - content;
    }

    /* Large messages are written from where they lie: to copy and compare them would take longer than
     * what is measured, and all of the time of this one thread. */
    int large = body_size > 10000 && mode->keys == 1;
    Buffer train = {0};
    for (int i = 0; large && i < AT_A_TIME; i++) add(&train, messages[0].data, messages[0].size);

    fcntl(in.fd, F_SETFL, O_NONBLOCK);
    fcntl(out.fd, F_SETFL, O_NONBLOCK);
    uint64_t published = 0, confirmed = 0, delivered = 0, counted = 0, seen = 0;
    uint64_t window = deep ? (uint64_t)seconds : large ? 200 : mode->window;
    if (mode->window < (int)window) window = deep ? window : mode->window;
    int confirms = mode->confirms, acks = mode->acks == 1, multiple = mode->acks == 2, filled = 0;
    double started = now(), from = started + 0.5, until = from + seconds, t = started;
    size_t matched = 0;
    uint64_t purged = 0, most_kept = mode->acks < 0 ? MOST_KEPT / (body_size + 1) : 0;
    while (deep ? delivered < window : t < until) {
        if (out.out.size == 0) {
            uint64_t done = delivered / copies;
            if (confirms && (confirmed < done || mode->acks < 0)) done = confirmed;
            uint64_t room = published - done < window ? window - (published - done) : 0;
            if (confirms == 2 && confirmed < published) room = 0;
            if (deep) room = window - published;
            if (most_kept && published - purged >= most_kept) {
                room = 0;
                if (confirmed == published) {
                    double took_long = purge(in.fd, queue);
                    from += took_long; until += took_long; purged = published;
                    t = now();
                    continue;
                }
            }
            if (room > 500) room = 500;
            if (large && room > AT_A_TIME) room = AT_A_TIME;
            for (uint64_t i = 0; i < room; i++) {
                Buffer *message = &messages[(published + i) % mode->keys];
                if (!large) add(&out.out, message->data, message->size);
                published_at[(published + i) % ON_THE_WAY] = t;
            }
            if (large) out.out = (Buffer){train.data, room * messages[0].size, 0};
            published += room;
            if (deep && !filled && published == window) {
                /* All is written when the broker answers to a method that came behind it. */
                filled = 1;
                fcntl(out.fd, F_SETFL, 0); fcntl(in.fd, F_SETFL, 0);
                send_all(out.fd, &out.out);
                out.sent = 0;
                m = method(&b, 1, 60, 10); u32(&b, 0); u16(&b, 0); u8(&b, 0); end(&b, m);
                send_all(out.fd, &b); await(out.fd, 60, 11);
                consume(in.fd, queue, 1, 0);
                fcntl(in.fd, F_SETFL, O_NONBLOCK); fcntl(out.fd, F_SETFL, O_NONBLOCK);
            }
        }
        drain(&out);
        drain(&in);
        struct pollfd fds[2] = {{in.fd, POLLIN | (in.out.size ? POLLOUT : 0), 0},
                                {out.fd, POLLIN | (out.out.size ? POLLOUT : 0), 0}};
        if (poll(fds, 2, deep && !filled ? 0 : 100) < 0) fail("poll");
        if (fds[0].revents & POLLIN) {
            size_t whole = fill(&in);
            uint64_t last = 0;
            for (size_t at = 0; at < whole;) {
                uint8_t *f = in.data + at;
                size_t size = 8 + ((size_t)f[3] << 24 | f[4] << 16 | f[5] << 8 | f[6]);
                if (f[0] == 1) {
                    if (f[7] != 0 || f[8] != 60 || f[10] != 60) { fprintf(stderr, "not a delivery\n"); return 1; }
                    uint8_t *tag = f + 12 + f[11];
                    last = 0;
                    for (int i = 0; i < 8; i++) last = last << 8 | tag[i];
                    if (acks) {
                        m = method(&in.out, 1, 60, 80); u64(&in.out, last); u8(&in.out, 0); end(&in.out, m);
                    }
                    matched = 0;
                } else {
                    /* Headers of other priorities differ. */
                    int skip = (by_priority || by_ids) && f[0] == 2;
                    uint8_t *as_sent = messages[0].data + first_content + matched;
                    if (matched + size > content_size || (!skip && !alike(f, as_sent, size,
                                                                          delivered % COMPARED))) {
                        fprintf(stderr, "a delivery differs from what was published\n");
                        return 1;
                    }
                    matched += size;
                    if (matched == content_size) delivered++;
                }
                at += size;
            }
            if (multiple && last) {
                m = method(&in.out, 1, 60, 80); u64(&in.out, last); u8(&in.out, 1); end(&in.out, m);
            }
            drop(&in, whole);
        }
        if (fds[1].revents & POLLIN) {
            size_t whole = fill(&out);
            for (size_t at = 0; at < whole;) {
                uint8_t *f = out.data + at;
                size_t size = 8 + ((size_t)f[3] << 24 | f[4] << 16 | f[5] << 8 | f[6]);
                if (f[0] == 1 && f[8] == 60 && f[10] == 80) {
                    uint64_t tag = 0;
                    for (int i = 0; i < 8; i++) tag = tag << 8 | f[11 + i];
                    confirmed = f[19] ? tag : confirmed + 1;
                } else if (f[0] == 1) {
                    fprintf(stderr, "class %d method %d: %.*s\n", f[8], f[10], f[13], f + 14);
                    return 1;
                }
                at += size;
            }
            drop(&out, whole);
        }
        t = now();
        uint64_t done = confirms ? confirmed : delivered / copies;
        if (t < from && !deep) counted = done;
        else if (!deep && !by_priority) arrived(seen, done, t);
        seen = done;
    }
    if (deep) from = started;
    if (keeps(mode)) {
        /* By a connection of its own: this one may be in the midst of a frame. */
        int fd = dial(port);
        m = method(&b, 1, 50, 40); u16(&b, 0); shortstr(&b, queue); u8(&b, 0); end(&b, m);
        send_all(fd, &b); await(fd, 50, 41);
    }
    printf("%.0f p99 %d\n", ((confirms ? confirmed : delivered / copies) - counted) / (t - from),
           slowest_of(0.99));
    return 0;
}
