/* An HTTP/1.1 server whose latencies are known: every POST is answered at once, or after a drawn delay, and the server
 * logs how long each request stayed with it, from the kernel's receive time of the request to the send of the answer.
 *
 *   latency_server LAW [ARGUMENTS]        instant | fixed MS | lognormal MEDIAN_MS SIGMA
 *   environment: LOG=FILE (written at SIGTERM: int64 pairs, arrival and latency in ns), SEED=1
 *
 * One thread, one epoll, one timerfd. Listens on a free port of 127.0.0.1 and prints it. A benchmark's server, not one
 * for the world: requests have a Content-Length and are not pipelined.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { MAX_FDS = 1 << 16, HEAD_BYTES = 4096, EVENTS = 1024 };

struct connection {
    uint32_t life;      /* raised at each close, so that a delayed answer cannot reach another connection */
    uint32_t have;      /* bytes in `buffer` */
    int64_t body_left;  /* of the request being read; -1: its head is not complete */
    char buffer[HEAD_BYTES];
};
struct delayed { int64_t due_ns, arrival_ns; int fd; uint32_t life; };
struct entry { int64_t arrival_ns, latency_ns; };

static const char ANSWER[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 21\r\n\r\n"
                             "{\"predictions\":[0.5]}";
static struct connection *connections[MAX_FDS];
static struct delayed *heap;
static size_t heap_size, heap_room;
static struct entry *entries;
static size_t entry_count, entry_room;
static int epoll_fd, timer_fd;
static int64_t armed_ns = INT64_MAX;
static volatile sig_atomic_t ended;
static enum { INSTANT, FIXED, LOGNORMAL } law;
static double scale_ms, sigma;
static int logging;
static uint64_t random_state = 1;

static int64_t now_ns(void) {
    struct timespec at;
    clock_gettime(CLOCK_REALTIME, &at);
    return at.tv_sec * 1000000000LL + at.tv_nsec;
}

static void die(const char *what) { perror(what); exit(1); }
static void on_signal(int number) { (void)number; ended = 1; }

static double uniform(void) { /* xorshift64*, in (0, 1] */
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return ((random_state * 2685821657736338717ULL >> 11) + 1) / 9007199254740992.0;
}

static int64_t draw_ns(void) {
    if (law == FIXED) return (int64_t)(scale_ms * 1e6);
    double normal = sqrt(-2 * log(uniform())) * cos(6.283185307179586 * uniform());
    return (int64_t)(scale_ms * exp(sigma * normal) * 1e6);
}

static void *grown(void *memory, size_t *room, size_t size) {
    *room = *room ? *room * 2 : 1 << 16;
    memory = realloc(memory, *room * size);
    if (!memory) die("realloc");
    return memory;
}

static void close_connection(int fd) {
    connections[fd]->life++;
    close(fd);
}

static void answer(int fd, int64_t arrival_ns) {
    if (logging) {
        if (entry_count == entry_room) entries = grown(entries, &entry_room, sizeof *entries);
        entries[entry_count++] = (struct entry){arrival_ns, now_ns() - arrival_ns};
    }
    if (send(fd, ANSWER, sizeof ANSWER - 1, MSG_NOSIGNAL) != sizeof ANSWER - 1) close_connection(fd);
}

static void push(struct delayed added) {
    if (heap_size == heap_room) heap = grown(heap, &heap_room, sizeof *heap);
    size_t at = heap_size++;
    for (; at && heap[(at - 1) / 2].due_ns > added.due_ns; at = (at - 1) / 2) heap[at] = heap[(at - 1) / 2];
    heap[at] = added;
}

static struct delayed pop(void) {
    struct delayed first = heap[0], last = heap[--heap_size];
    size_t at = 0;
    for (size_t child; (child = 2 * at + 1) < heap_size; at = child) {
        if (child + 1 < heap_size && heap[child + 1].due_ns < heap[child].due_ns) child++;
        if (heap[child].due_ns >= last.due_ns) break;
        heap[at] = heap[child];
    }
    heap[at] = last;
    return first;
}

static void answer_due(void) {
    while (heap_size && heap[0].due_ns <= now_ns()) {
        struct delayed due = pop();
        if (connections[due.fd]->life == due.life) answer(due.fd, due.arrival_ns);
    }
    if (!heap_size || heap[0].due_ns >= armed_ns) return;
    armed_ns = heap[0].due_ns;
    struct itimerspec timer = {.it_value = {armed_ns / 1000000000LL, armed_ns % 1000000000LL}};
    timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &timer, NULL);
}

/* Take the request apart as far as it has come; 1: it is complete. */
static int complete(struct connection *from) {
    if (from->body_left < 0) {
        char *end = memmem(from->buffer, from->have, "\r\n\r\n", 4);
        if (!end) return 0;
        *end = 0;
        char *field = strcasestr(from->buffer, "\r\nContent-Length:");
        from->body_left = (field ? atoll(field + 17) : 0) - (from->have - (end + 4 - from->buffer));
    } else {
        from->body_left -= from->have;
    }
    from->have = 0;
    if (from->body_left > 0) return 0;
    from->body_left = -1;
    return 1;
}

static int64_t received_ns(struct msghdr *message) {
    for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part; part = CMSG_NXTHDR(message, part)) {
        if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_TIMESTAMPNS) {
            struct timespec at;
            memcpy(&at, CMSG_DATA(part), sizeof at);
            return at.tv_sec * 1000000000LL + at.tv_nsec;
        }
    }
    return now_ns();
}

static void read_from(int fd) {
    struct connection *from = connections[fd];
    char control[64];
    struct iovec into = {from->buffer + from->have, HEAD_BYTES - 1 - from->have};
    struct msghdr message = {.msg_iov = &into, .msg_iovlen = 1, .msg_control = control};
    message.msg_controllen = logging || law != INSTANT ? sizeof control : 0;
    ssize_t got = into.iov_len ? recvmsg(fd, &message, 0) : 0;
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
        close_connection(fd);
        return;
    }
    from->have += got;
    from->buffer[from->have] = 0;
    if (!complete(from)) return;
    int64_t arrival_ns = message.msg_controllen ? received_ns(&message) : 0;
    if (law == INSTANT) answer(fd, arrival_ns);
    else push((struct delayed){arrival_ns + draw_ns(), arrival_ns, fd, from->life});
}

static void accept_from(int listener) {
    int fd, one = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        if (fd >= MAX_FDS) {
            close(fd);
            continue;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        if (logging || law != INSTANT) setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof one);
        if (!connections[fd] && !(connections[fd] = calloc(1, sizeof(struct connection)))) die("calloc");
        connections[fd]->have = 0;
        connections[fd]->body_left = -1;
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
    }
}

static int listen_on_free_port(void) {
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    /* Held from the start: the kernel stamps packets only while some socket asks for it. */
    setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&address, size) || listen(fd, 4096)) die("listen");
    getsockname(fd, (struct sockaddr *)&address, &size);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

static void write_log(const char *path) {
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(entries, sizeof *entries, entry_count, file) != entry_count || fclose(file)) die(path);
}

int main(int count, char **arguments) {
    const char *name = count > 1 ? arguments[1] : "instant", *path = getenv("LOG"), *seed = getenv("SEED");
    law = !strcmp(name, "lognormal") ? LOGNORMAL : !strcmp(name, "fixed") ? FIXED : INSTANT;
    if (law != INSTANT) scale_ms = count > 2 ? atof(arguments[2]) : 20;
    if (law == LOGNORMAL) sigma = count > 3 ? atof(arguments[3]) : 0.4;
    if (seed) random_state = strtoull(seed, NULL, 10) * 0x9E3779B97F4A7C15ULL | 1;
    logging = path != NULL;
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    epoll_fd = epoll_create1(0);
    timer_fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK);
    int listener = listen_on_free_port();
    int watched[] = {listener, timer_fd};
    for (int i = 0; i < 2; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.fd = watched[i]};
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, watched[i], &event);
    }
    struct epoll_event events[EVENTS];
    while (!ended) {
        int found = epoll_wait(epoll_fd, events, EVENTS, -1);
        for (int i = 0; i < found; i++) {
            uint64_t expirations;
            if (events[i].data.fd == listener) accept_from(listener);
            else if (events[i].data.fd != timer_fd) read_from(events[i].data.fd);
            else if (read(timer_fd, &expirations, sizeof expirations) > 0) armed_ns = INT64_MAX;
            if (heap_size && heap[0].due_ns <= now_ns()) answer_due();
        }
        answer_due();
    }
    if (path) write_log(path);
    return 0;
}
