/* What the kernel alone costs: a relay that does nothing, and who sends through it.
 *
 *   floor relay LEGS            packets that come to leg n go out of its neighbour, over an epoll loop, until it is killed
 *   floor send LEGS SECONDS     a packet of 172 bytes to each leg every 20 ms; prints how many came back
 *
 * run.py starts the relay on the server's core and takes its CPU time: what no server of one socket a leg can go below.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { RELAY = 38000, SENDER = 36000, PACKET = 172, READY = 1024, STEP_NS = 20000000 };

static int *legs;
static int count, poller;

static struct sockaddr_in at(int port) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return a;
}

static void open_legs(int from) {
    legs = calloc(count, sizeof *legs);
    poller = epoll_create1(0);
    for (int n = 0; n < count; n++) {
        struct sockaddr_in own = at(from + n);
        legs[n] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = n};
        if (bind(legs[n], (struct sockaddr *)&own, sizeof own) || epoll_ctl(poller, EPOLL_CTL_ADD, legs[n], &event)) {
            perror("floor: a leg");
            exit(1);
        }
    }
}

static void relay(void) {
    struct epoll_event ready[READY];
    char packet[2048];
    for (;;) {
        int seen = epoll_wait(poller, ready, READY, -1);
        for (int i = 0; i < seen; i++) {
            int n = ready[i].data.u32;
            struct sockaddr_in from, to = at(SENDER + (n ^ 1));
            socklen_t length = sizeof from;
            int size = recvfrom(legs[n], packet, sizeof packet, 0, (struct sockaddr *)&from, &length);
            if (size > 0) sendto(legs[n ^ 1], packet, size, 0, (struct sockaddr *)&to, sizeof to);
        }
    }
}

static long take_back(int patience_ms) {
    struct epoll_event ready[READY];
    char packet[2048];
    long back = 0;
    int seen = epoll_wait(poller, ready, READY, patience_ms);
    for (int i = 0; i < seen; i++)
        while (recv(legs[ready[i].data.u32], packet, sizeof packet, 0) > 0) back++;
    return back;
}

static void send_all(double seconds) {
    char packet[PACKET] = {0};
    long steps = seconds * 1e9 / STEP_NS, back = 0;
    struct timespec start, now;
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (long step = 0; step < steps; step++) {
        for (int n = 0; n < count; n++) {
            struct sockaddr_in to = at(RELAY + n);
            sendto(legs[n], packet, PACKET, 0, (struct sockaddr *)&to, sizeof to);
        }
        long left;
        do {
            clock_gettime(CLOCK_MONOTONIC, &now);
            left = (step + 1) * (long)STEP_NS - ((now.tv_sec - start.tv_sec) * 1000000000L + now.tv_nsec - start.tv_nsec);
            if (left > 0) back += take_back(left / 1000000);
        } while (left > 0);
    }
    printf("%ld\n", back);
}

int main(int arguments, char **words) {
    if (arguments < 3) return fprintf(stderr, "floor relay LEGS | floor send LEGS SECONDS\n"), 2;
    count = atoi(words[2]);
    open_legs(strcmp(words[1], "relay") ? SENDER : RELAY);
    if (strcmp(words[1], "relay")) send_all(atof(words[3]));
    else relay();
    return 0;
}
