/* Sends back what it reads, and does nothing else: what a round trip takes on this machine at least.
 *
 * Listens on a free port of 127.0.0.1 and prints it.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static char bytes[1 << 16];

static void watch(int poller, int fd) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
}

int main(void) {
    struct sockaddr_in place = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof place;
    int listener = socket(AF_INET, SOCK_STREAM, 0), poller = epoll_create1(0), on = 1;
    if (bind(listener, (struct sockaddr *)&place, size) || listen(listener, 128)) {
        perror("echo");
        return 1;
    }
    getsockname(listener, (struct sockaddr *)&place, &size);
    printf("%d\n", ntohs(place.sin_port));
    fflush(stdout);
    watch(poller, listener);
    for (;;) {
        struct epoll_event events[64];
        int some = epoll_wait(poller, events, 64, -1);
        for (int i = 0; i < some; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) {
                int client = accept(listener, NULL, NULL);
                setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
                watch(poller, client);
                continue;
            }
            ssize_t got = read(fd, bytes, sizeof bytes);
            if (got <= 0 || write(fd, bytes, got) != got) close(fd);
        }
    }
}
