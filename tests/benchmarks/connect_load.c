/* Clients that log in and leave: how many a second.
 *
 *   connect_load PORT SECONDS|nCOUNT PROCESSES (REQUEST_HEX ANSWER_BYTES)...
 *
 * Each process, one client at a time: connect to 127.0.0.1, send each request and wait for its
 * answer, close. Prints: connections a second.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST_STEPS = 16, LONGEST = 8192, MOST_PROCESSES = 64 };

static unsigned char requests[MOST_STEPS][LONGEST], answer[LONGEST];
static size_t sizes[MOST_STEPS], answers[MOST_STEPS];
static int steps;

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static void fail(const char *what) {
    fprintf(stderr, "connect_load: %s: %s\n", what, errno ? strerror(errno) : "ended");
    exit(1);
}

static void visit(int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    if (connect(fd, (struct sockaddr *)&address, sizeof address)) fail("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    for (int step = 0; step < steps; step++) {
        if (write(fd, requests[step], sizes[step]) != (ssize_t)sizes[step]) fail("write");
        for (size_t have = 0; have < answers[step];) {
            ssize_t done = read(fd, answer, answers[step] - have);
            if (done <= 0) fail("read");
            have += done;
        }
    }
    close(fd);
}

int main(int argc, char **argv) {
    if (argc < 6) return 2;
    int port = atoi(argv[1]), processes = atoi(argv[3]);
    long most = argv[2][0] == 'n' ? atol(argv[2] + 1) / processes : 1L << 40;
    double seconds = argv[2][0] == 'n' ? 1e9 : atof(argv[2]);
    for (int i = 4; i + 1 < argc && steps < MOST_STEPS; i += 2, steps++) {
        sizes[steps] = strlen(argv[i]) / 2;
        answers[steps] = atol(argv[i + 1]);
        for (size_t at = 0; at < sizes[steps]; at++) {
            unsigned byte;
            sscanf(argv[i] + 2 * at, "%2x", &byte);
            requests[steps][at] = byte;
        }
    }
    long *counts = mmap(0, MOST_PROCESSES * sizeof(long), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0), total = 0;
    double began = now();
    for (int i = 0; i < processes; i++)
        if (!fork()) {
            while (now() < began + seconds && counts[i] < most) {
                visit(port);
                counts[i]++;
            }
            _exit(0);
        }
    int status, failed = 0;
    while (wait(&status) > 0) failed |= status;
    if (failed) return 1;
    for (int i = 0; i < processes; i++) total += counts[i];
    printf("%.0f\n", total / (now() - began));
    return 0;
}
