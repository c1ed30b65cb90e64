/* Load through librdkafka: kafka_load PORT MODE SECONDS [BYTES]
 *
 * MODE batched    producer only, as many records a request as librdkafka likes
 *      idempotent the same with enable.idempotence
 *      transactional  transactions of 100 records, each committed before the next begins
 *      single     producer only, one record a request, many requests in flight
 *      flow       batched, with a consumer; the producer stays at most WINDOW records ahead
 *      spread     batched, over 24 partitions
 *      consume    what was written to 24 partitions just before, once
 *      large      records of 1 MB
 *      group      MEMBERS consumers join one group at once
 *
 * Prints records per second: confirmed ones, or in flow those that were consumed; in group the
 * milliseconds until each member has a partition and no other one came or went for QUIET. All
 * records go to one partition of a topic of their own, of BYTES (100) each, where nothing else is
 * said.
 */
#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { SIZE = 100, LARGE = 1000000, WINDOW = 20000, TRANSACTION = 100, SPREAD = 24, MEMBERS = 50 };
/* Records of a partition that are written to be read: librdkafka's mock keeps 5 MB of each. */
enum { WRITTEN = 40000 };
static const double QUIET = 1;

static atomic_long confirmed, failed, consumed;
static atomic_int stopping;
static char bootstrap[64], topic[64];
static int partitions = 1, size = SIZE;

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

static void die(const char *what, const char *why) {
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value) {
    char error[256];
    if (rd_kafka_conf_set(conf, name, value, error, sizeof(error)) != RD_KAFKA_CONF_OK)
        die(name, error);
}

static rd_kafka_t *make(rd_kafka_type_t type, rd_kafka_conf_t *conf) {
    char error[256];
    set(conf, "bootstrap.servers", bootstrap);
    rd_kafka_t *client = rd_kafka_new(type, conf, error, sizeof(error));
    if (!client)
        die("client", error);
    return client;
}

static void on_delivery(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque) {
    (void)client;
    (void)opaque;
    atomic_fetch_add_explicit(message->err ? &failed : &confirmed, 1, memory_order_relaxed);
}

static void *poll_reports(void *producer) {
    while (!atomic_load_explicit(&stopping, memory_order_relaxed))
        rd_kafka_poll(producer, 50);
    return NULL;
}

static void *consume(void *consumer) {
    rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(consumer);
    static rd_kafka_message_t *batch[1000];
    while (!atomic_load_explicit(&stopping, memory_order_relaxed)) {
        ssize_t count = rd_kafka_consume_batch_queue(queue, 50, batch, 1000);
        long good = 0;
        for (ssize_t i = 0; i < count; i++) {
            good += !batch[i]->err;
            rd_kafka_message_destroy(batch[i]);
        }
        atomic_fetch_add_explicit(&consumed, good, memory_order_relaxed);
    }
    rd_kafka_queue_destroy(queue);
    return NULL;
}

static rd_kafka_t *make_producer(const char *mode) {
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    set(conf, "queue.buffering.max.messages",
        size == LARGE ? "64" : strcmp(mode, "single") ? "200000" : "20000");
    if (!strcmp(mode, "consume")) {
        /* Whole batches for whoever is read from, however fast it took them. */
        set(conf, "queue.buffering.max.messages", "1000000");
        set(conf, "linger.ms", "1000");
    } else if (!strcmp(mode, "single")) {
        set(conf, "batch.num.messages", "1");
        set(conf, "linger.ms", "0");
    } else {
        set(conf, "linger.ms", strcmp(mode, "transactional") ? "5" : "0");
    }
    set(conf, "message.max.bytes", "2000000");
    if (!strcmp(mode, "transactional"))
        set(conf, "transactional.id", topic);
    if (!strcmp(mode, "idempotent"))
        set(conf, "enable.idempotence", "true");
    return make(RD_KAFKA_PRODUCER, conf);
}

static void must(rd_kafka_error_t *error) {
    if (error)
        die("transaction", rd_kafka_error_string(error));
}

/* Reads each partition of the topic from an offset on. */
static rd_kafka_t *make_consumer(const int64_t *from) {
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "group.id", "load");
    set(conf, "auto.offset.reset", "earliest");
    set(conf, "enable.auto.commit", "false");
    set(conf, "fetch.wait.max.ms", "50");
    /* More than there is: a full queue pauses librdkafka for up to a second. */
    set(conf, "queued.min.messages", "10000000");
    set(conf, "queued.max.messages.kbytes", "1000000");
    rd_kafka_t *consumer = make(RD_KAFKA_CONSUMER, conf);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(partitions);
    for (int i = 0; i < partitions; i++)
        rd_kafka_topic_partition_list_add(list, topic, i)->offset = from[i];
    rd_kafka_assign(consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
    return consumer;
}

/* Records until `end`; returns how many were handed to the producer. With `transactional` one
 * transaction is open when it is called, and none when it returns.
 */
static long produce(rd_kafka_t *producer, double end, int flow, int transactional) {
    static char payload[LARGE];
    memset(payload, 'x', size);
    rd_kafka_topic_t *handle = rd_kafka_topic_new(producer, topic, NULL);
    long sent = 0;
    while ((transactional ? sent % TRANSACTION : sent & 63) || now() < end) {
        if (transactional && sent && sent % TRANSACTION == 0) {
            must(rd_kafka_commit_transaction(producer, 10000));
            must(rd_kafka_begin_transaction(producer));
        }
        if (flow && sent - atomic_load(&consumed) > WINDOW) {
            usleep(200);
            if (now() >= end)
                break;
            continue;
        }
        if (rd_kafka_produce(handle, sent % partitions, RD_KAFKA_MSG_F_COPY, payload, size, NULL, 0,
                             NULL) == 0)
            sent++;
        else
            usleep(200);
    }
    if (transactional)
        must(rd_kafka_commit_transaction(producer, 10000));
    rd_kafka_topic_destroy(handle);
    return sent;
}

/* A topic with so many partitions. Where topics cannot be created it is there already. */
static void create(rd_kafka_t *client, const char *name, int count) {
    char error[256];
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    rd_kafka_NewTopic_t *wanted = rd_kafka_NewTopic_new(name, count, 1, error, sizeof(error));
    rd_kafka_CreateTopics(client, &wanted, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 10000);
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_NewTopic_destroy(wanted);
    rd_kafka_queue_destroy(queue);
}

static int gather(void) {
    static rd_kafka_t *members[MEMBERS];
    static int held[MEMBERS];
    char group[64];
    snprintf(group, sizeof(group), "group-%d", (int)getpid());
    rd_kafka_topic_partition_list_t *wanted = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(wanted, "members-50", -1);
    for (int i = 0; i < MEMBERS; i++) {
        rd_kafka_conf_t *conf = rd_kafka_conf_new();
        set(conf, "group.id", group);
        set(conf, "heartbeat.interval.ms", "100");
        members[i] = make(RD_KAFKA_CONSUMER, conf);
        rd_kafka_poll_set_consumer(members[i]);
    }
    create(members[0], "members-50", MEMBERS);
    double start = now(), changed = start;
    for (int i = 0; i < MEMBERS; i++)
        rd_kafka_subscribe(members[i], wanted);
    for (int all = 0; !all || now() < changed + QUIET;) {
        all = 1;
        for (int i = 0; i < MEMBERS; i++) {
            rd_kafka_message_t *message = rd_kafka_consumer_poll(members[i], 0);
            if (message)
                rd_kafka_message_destroy(message);
            rd_kafka_topic_partition_list_t *mine = NULL;
            int count = 0;
            if (rd_kafka_assignment(members[i], &mine) == RD_KAFKA_RESP_ERR_NO_ERROR) {
                count = mine->cnt;
                rd_kafka_topic_partition_list_destroy(mine);
            }
            if (count != held[i])
                changed = now();
            held[i] = count;
            all = all && count;
        }
        if (now() > start + 60)
            die("group", "not all members have a partition");
        usleep(1000);
    }
    printf("%.0f\n", (changed - start) * 1000);
    fflush(stdout);
    _exit(0);
}

static int drain(rd_kafka_t *producer) {
    int64_t low, ends[SPREAD];
    for (int i = 0; i < SPREAD; i++)
        if (rd_kafka_query_watermark_offsets(producer, topic, i, &low, &ends[i], 10000))
            ends[i] = 0;
    rd_kafka_topic_t *handle = rd_kafka_topic_new(producer, topic, NULL);
    static char payload[SIZE];
    memset(payload, 'x', SIZE);
    for (long sent = 0; sent < SPREAD * WRITTEN;)
        if (rd_kafka_produce(handle, sent % SPREAD, RD_KAFKA_MSG_F_COPY, payload, SIZE, NULL, 0,
                             NULL) == 0)
            sent++;
        else
            usleep(200);
    rd_kafka_topic_destroy(handle);
    for (double limit = now() + 20; atomic_load(&confirmed) < SPREAD * WRITTEN; usleep(500))
        if (now() > limit || atomic_load(&failed))
            die("last record", "not confirmed");
    pthread_t consumption;
    double start = now();
    pthread_create(&consumption, NULL, consume, make_consumer(ends));
    for (double limit = now() + 20; atomic_load(&consumed) < SPREAD * WRITTEN; usleep(200))
        if (now() > limit)
            die("last record", "not consumed");
    printf("%.0f\n", atomic_load(&consumed) / (now() - start));
    fflush(stdout);
    _exit(0);
}

int main(int argc, char **argv) {
    if (argc < 4)
        die("usage", "kafka_load PORT MODE SECONDS [BYTES]");
    const char *mode = argv[2];
    int flow = !strcmp(mode, "flow"), transactional = !strcmp(mode, "transactional");
    snprintf(bootstrap, sizeof(bootstrap), "127.0.0.1:%s", argv[1]);
    snprintf(topic, sizeof(topic), "load-%s-%d", mode, (int)getpid());
    if (!strcmp(mode, "group"))
        return gather();
    if (!strcmp(mode, "large"))
        size = LARGE;
    else if (argc > 4 && (size = atoi(argv[4])) > LARGE)
        die("BYTES", "at most 1000000");
    rd_kafka_t *producer = make_producer(mode);
    if (!strcmp(mode, "spread") || !strcmp(mode, "consume")) {
        partitions = SPREAD;
        snprintf(topic, sizeof(topic), "spread-24");
        create(producer, topic, SPREAD);
    }
    pthread_t reports, consumption;
    pthread_create(&reports, NULL, poll_reports, producer);
    if (!strcmp(mode, "consume"))
        return drain(producer);
    if (transactional) {
        must(rd_kafka_init_transactions(producer, 15000));
        must(rd_kafka_begin_transaction(producer));
    }
    /* One record first: the topic comes into being, connections are made. */
    rd_kafka_topic_t *first = rd_kafka_topic_new(producer, topic, NULL);
    rd_kafka_produce(first, 0, RD_KAFKA_MSG_F_COPY, "x", 1, NULL, 0, NULL);
    for (double limit = now() + 15; !atomic_load(&confirmed);) {
        if (now() > limit || atomic_load(&failed))
            die("first record", "not confirmed");
        usleep(1000);
    }
    rd_kafka_topic_destroy(first);
    rd_kafka_t *consumer = NULL;
    static const int64_t ends[1];
    if (flow) {
        consumer = make_consumer(ends);
        pthread_create(&consumption, NULL, consume, consumer);
        for (double limit = now() + 15; !atomic_load(&consumed);) {
            if (now() > limit)
                die("first record", "not consumed");
            usleep(1000);
        }
    }

    atomic_long *counted = flow ? &consumed : &confirmed;
    long before = atomic_load(counted);
    double start = now();
    long sent = produce(producer, start + atof(argv[3]), flow, transactional);
    for (double limit = now() + 20; atomic_load(counted) < before + sent;) {
        if (now() > limit)
            die("last record", "did not come");
        usleep(500);
    }
    double took = now() - start;
    if (atomic_load(&failed))
        die("produce", "records failed");
    printf("%.0f\n", (atomic_load(counted) - before) / took);
    fflush(stdout);
    atomic_store(&stopping, 1);
    pthread_join(reports, NULL);
    _exit(0);
}
