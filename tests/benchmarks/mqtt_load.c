/* Publishers and subscribers in one process: how many messages a second get through.
 *
 *   mqtt_load PORT QOS SECONDS [TOPICS] [WINDOW] [PAYLOAD] [PUBLISHERS] [SUBSCRIBERS] [LASTING]
 *
 * MQTT 3.1.1 on 127.0.0.1, packets prepared beforehand, sockets never waited for. Every subscriber
 * gets every message; at most WINDOW messages are on the way to each, so that a broker which drops
 * what is too much for it has no need to. With QOS 1 and 2 both sides acknowledge, and a WINDOW of
 * no more than one for each publisher lets each have one that is not acknowledged. With LASTING 1
 * the subscribers' sessions are such as outlive their connections, and are ended when all is done.
 * Prints: messages delivered a second, messages delivered.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BUFFER = 1 << 18, MOST_TOPICS = 1000, LONGEST = 66000, AT_ONCE = 61440 };

struct end {
    int fd;
    unsigned last_id;
    int unfinished, one_by_one;
    unsigned char in[BUFFER], out[BUFFER];
    size_t have, start, pending;
};

static struct end *ends;
static int publishers = 1, subscribers = 1;
static unsigned char packets[MOST_TOPICS][LONGEST];
static size_t sizes[MOST_TOPICS], id_places[MOST_TOPICS];
static long published, delivered;

static void fail(const char *what) {
    fprintf(stderr, "mqtt_load: %s: %s\n", what, errno ? strerror(errno) : "");
    exit(1);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static void connect_to(struct end *end, int port, const char *client, int clean) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    unsigned char packet[64] = {0x10, 0, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 0, 0};
    int on = 1;
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    end->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(end->fd, (struct sockaddr *)&address, sizeof address)) fail("connect");
    setsockopt(end->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    packet[9] = clean ? 2 : 0;
    packet[13] = strlen(client);
    memcpy(packet + 14, client, strlen(client));
    packet[1] = 12 + strlen(client);
    if (write(end->fd, packet, 14 + strlen(client)) < 0) fail("write");
    if (read(end->fd, packet, 4) != 4 || packet[0] != 0x20 || packet[3]) fail("CONNACK");
}

static void prepare(int topics, int qos, int payload) {
    for (int number = 0; number < topics; number++) {
        unsigned char *packet = packets[number];
        char topic[32];
        int length = snprintf(topic, sizeof topic, "bench/%05d", number);
        int rest = 2 + length + (qos ? 2 : 0) + payload;
        size_t at = 0;
        packet[at++] = 0x30 | qos << 1;
        do {
            packet[at++] = (rest & 0x7f) | (rest > 0x7f ? 0x80 : 0);
            rest >>= 7;
        } while (rest);
        packet[at++] = 0;
        packet[at++] = length;
        memcpy(packet + at, topic, length);
        at += length;
        id_places[number] = at;
        if (qos) at += 2;
        memset(packet + at, 'x', payload);
        sizes[number] = at + payload;
    }
}

static void flush(struct end *end) {
    if (end->start == end->pending) return;
    ssize_t sent = write(end->fd, end->out + end->start, end->pending - end->start);
    if (sent < 0 && errno != EAGAIN) fail("write");
    if (sent > 0) end->start += sent;
    if (end->start == end->pending) end->start = end->pending = 0;
}

static void fill(struct end *publisher, int topics, int qos, long window) {
    if (publisher->pending || (publisher->one_by_one && publisher->unfinished)) return;
    /* Each publisher gets its share of the window, so that all have something to send. */
    long left = window - (published - delivered / subscribers), share = window / publishers;
    for (long most = share < left ? share : left; most > 0; most--) {
        int number = published % topics;
        if (publisher->pending && publisher->pending + sizes[number] > AT_ONCE) break;
        unsigned char *place = publisher->out + publisher->pending;
        memcpy(place, packets[number], sizes[number]);
        if (qos) {
            unsigned id = publisher->last_id = publisher->last_id % 65535 + 1;
            place[id_places[number]] = id >> 8;
            place[id_places[number] + 1] = id;
        }
        publisher->pending += sizes[number];
        publisher->unfinished++;
        published++;
    }
}

static void acknowledge(struct end *end, unsigned char first, const unsigned char *id) {
    unsigned char ack[4] = {first, 2, id[0], id[1]};
    if (end->pending + sizeof ack > BUFFER) fail("the broker takes no acknowledgements");
    memcpy(end->out + end->pending, ack, sizeof ack);
    end->pending += sizeof ack;
}

static void name(char client[32], int number) { snprintf(client, 32, "load-%d", number); }

/* Walks the whole packets of what was read and keeps the rest. */
static void take(struct end *end) {
    ssize_t got = read(end->fd, end->in + end->have, BUFFER - end->have);
    if (got == 0) fail("the broker closed the connection");
    if (got < 0) {
        if (errno != EAGAIN) fail("read");
        return;
    }
    end->have += got;
    size_t at = 0;
    while (end->have - at >= 2) {
        unsigned char *packet = end->in + at;
        size_t length = packet[1] & 0x7f, body = 2;
        while (packet[body - 1] & 0x80 && end->have - at > body) {
            length |= (size_t)(packet[body] & 0x7f) << 7 * (body - 1);
            body++;
        }
        if (packet[body - 1] & 0x80) break;
        if (end->have - at < body + length) break;
        if (packet[0] >> 4 == 3) {
            delivered++;
            if (packet[0] & 6) {
                size_t id = body + 2 + (packet[body] << 8 | packet[body + 1]);
                acknowledge(end, packet[0] & 4 ? 0x50 : 0x40, packet + id);
            }
        } else if (packet[0] >> 4 == 5) {
            acknowledge(end, 0x62, packet + body);
        } else if (packet[0] >> 4 == 4 || packet[0] >> 4 == 7) {
            end->unfinished--;
        } else if (packet[0] >> 4 == 6) {
            acknowledge(end, 0x70, packet + body);
        }
        at += body + length;
    }
    memmove(end->in, end->in + at, end->have - at);
    end->have -= at;
}

int main(int count, char **words) {
    if (count < 4)
        fail("usage: mqtt_load PORT QOS SECONDS [TOPICS] [WINDOW] [PAYLOAD] [PUBLISHERS] "
             "[SUBSCRIBERS] [LASTING]");
    int port = atoi(words[1]), qos = atoi(words[2]);
    double seconds = atof(words[3]);
    int topics = count > 4 ? atoi(words[4]) : 1;
    long window = count > 5 ? atol(words[5]) : 4000;
    int payload = count > 6 ? atoi(words[6]) : 64;
    if (count > 7) publishers = atoi(words[7]);
    if (count > 8) subscribers = atoi(words[8]);
    int lasting = count > 9 && atoi(words[9]), all = publishers + subscribers;
    struct pollfd *polled = calloc(all, sizeof *polled);
    ends = calloc(all, sizeof *ends);
    unsigned char subscribe[] = {0x82, 12, 0, 1, 0, 7, 'b', 'e', 'n', 'c', 'h', '/', '#', qos};
    if (!polled || !ends) fail("memory");
    for (int number = 0; number < all; number++) {
        struct end *end = ends + number;
        char client[32];
        name(client, number);
        connect_to(end, port, client, number < publishers || !lasting);
        end->one_by_one = qos && window <= publishers && publishers > 1;
        if (number >= publishers) {
            if (write(end->fd, subscribe, sizeof subscribe) < 0) fail("write");
            if (read(end->fd, end->in, 5) != 5 || end->in[4] > 2) fail("SUBACK");
        }
        fcntl(end->fd, F_SETFL, O_NONBLOCK);
    }
    if (payload > LONGEST - 64) fail("PAYLOAD is too large");
    prepare(topics, qos, payload);

    double begin = now(), warm = begin + 0.3, measured_from = 0, time = begin, last = begin;
    long at_warm = 0, seen = 0;
    while (!measured_from || time < measured_from + seconds) {
        for (int number = 0; number < all; number++) {
            struct end *end = ends + number;
            if (number < publishers) fill(end, topics, qos, window);
            flush(end);
            polled[number].fd = end->fd;
            polled[number].events = POLLIN | (end->pending ? POLLOUT : 0);
        }
        poll(polled, all, 100);
        for (int number = 0; number < all; number++)
            if (polled[number].revents & ~POLLOUT) take(ends + number);
        time = now();
        if (!measured_from && time >= warm) measured_from = time, at_warm = delivered;
        if (delivered != seen) seen = delivered, last = time;
        if (time - last > 5) fail("no message arrived for 5 seconds");
    }
    for (int number = publishers; lasting && number < all; number++) {
        char client[32];
        name(client, number);
        close(ends[number].fd);
        connect_to(ends + number, port, client, 1);
    }
    printf("%.0f %ld\n", (delivered - at_warm) / (time - measured_from), delivered);
    return 0;
}
