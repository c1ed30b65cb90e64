/* librdkafka's own mock cluster, alone in a process: one broker; prints its port. */
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(void) {
    char error[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    /* Nobody uses this client: it is not to warn that it knows no cluster. */
    rd_kafka_conf_set(conf, "log_level", "2", error, sizeof(error));
    rd_kafka_t *client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof(error));
    rd_kafka_mock_cluster_t *cluster = client ? rd_kafka_mock_cluster_new(client, 1) : NULL;
    if (!cluster) {
        fprintf(stderr, "no mock cluster: %s\n", error);
        return 1;
    }
    /* It creates topics by itself, with 4 partitions: these are to have more. */
    rd_kafka_mock_topic_create(cluster, "spread-24", 24, 1);
    rd_kafka_mock_topic_create(cluster, "members-50", 50, 1);
    const char *bootstraps = rd_kafka_mock_cluster_bootstraps(cluster);
    printf("%s\n", strrchr(bootstraps, ':') + 1);
    fflush(stdout);
    for (;;)
        pause();
}
