/* Clients with one request on the way each: how long an answer takes, and how many come a second.
 *
 *   flight_load SECONDS PAUSE_US ANSWER_BYTES REQUEST_FILE FD...
 *
 * The sockets are inherited, logged in by whoever started us; each sends the file's bytes, waits
 * for so many bytes, pauses, and sends again. An FD written `d7` is only drained.
 * Prints: exchanges a second; then microseconds: median, 99th percentile, longest.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 4096, SAMPLES = 1 << 22 };

struct client {
    int fd, drained;
    size_t written, missing;
    double began;
};

static unsigned char *request, sink[1 << 20];
static size_t request_size, answer_size;
static struct client clients[MOST];
static float samples[SAMPLES];
static long count;

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static void fail(const char *what) {
    fprintf(stderr, "flight_load: %s: %s\n", what, errno ? strerror(errno) : "ended");
    exit(1);
}

static int larger(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static void put(struct client *client) {
    while (client->written < request_size) {
        ssize_t done = write(client->fd, request + client->written, request_size - client->written);
        if (done < 0 && errno == EAGAIN) return;
        if (done < 0) fail("write");
        client->written += done;
    }
}

static void begin(struct client *client) {
    client->written = 0;
    client->missing = answer_size;
    client->began = now();
    put(client);
}

/* Whether the answer is whole now. */
static int get(struct client *client) {
    size_t want = client->drained ? sizeof sink : client->missing;
    for (;;) {
        ssize_t done = read(client->fd, sink, want < sizeof sink ? want : sizeof sink);
        if (done < 0 && errno == EAGAIN) return 0;
        if (done <= 0) fail("read");
        if (client->drained) continue;
        client->missing -= done;
        if (!client->missing) return 1;
        want = client->missing;
    }
}

int main(int argc, char **argv) {
    if (argc < 6) return 2;
    double seconds = atof(argv[1]), end;
    long pause = atol(argv[2]);
    answer_size = atol(argv[3]);
    FILE *file = fopen(argv[4], "rb");
    fseek(file, 0, SEEK_END);
    request_size = ftell(file);
    rewind(file);
    request = malloc(request_size);
    if (fread(request, 1, request_size, file) != request_size) fail("request");
    int poller = epoll_create1(0), number = argc - 5;
    for (int i = 0; i < number; i++) {
        struct client *client = &clients[i];
        const char *name = argv[5 + i];
        client->drained = name[0] == 'd';
        client->fd = atoi(name + client->drained);
        fcntl(client->fd, F_SETFL, fcntl(client->fd, F_GETFL) | O_NONBLOCK);
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = client};
        epoll_ctl(poller, EPOLL_CTL_ADD, client->fd, &event);
        client->missing = 1;
    }
    end = now() + seconds;
    for (int i = 0; i < number; i++)
        if (!clients[i].drained) begin(&clients[i]);
    double began = now();
    while (now() < end) {
        struct epoll_event events[256];
        int some = epoll_wait(poller, events, 256, 100);
        for (int i = 0; i < some; i++) {
            struct client *client = events[i].data.ptr;
            if (!client->drained && client->written < request_size) put(client);
            if (!(events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) || !get(client)) continue;
            if (count < SAMPLES) samples[count++] = (now() - client->began) * 1e6;
            if (pause) usleep(pause);
            begin(client);
        }
    }
    double took = now() - began;
    /* Who was still waiting at the end counts with what it waited so far, or a stall would be
     * left out. */
    for (int i = 0; i < number; i++)
        if (!clients[i].drained && (now() - clients[i].began) > 0.05 && count < SAMPLES)
            samples[count++] = (now() - clients[i].began) * 1e6;
    if (!count) fail("no exchange was completed");
    qsort(samples, count, sizeof *samples, larger);
    printf("%.0f %.1f %.1f %.1f\n", count / took, samples[count / 2],
           samples[(long)(count * 0.99)], samples[count - 1]);
    return 0;
}
