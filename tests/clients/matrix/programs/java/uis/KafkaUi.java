import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionReplica;
import org.apache.kafka.common.acl.AclBindingFilter;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.quota.ClientQuotaFilter;

/** The calls that kafka-ui (kafbat) makes for its pages, in their order: ReactiveAdminClient and the emitters. */
public class KafkaUi extends Pages {
  static final ConfigResource OF_TOPIC = new ConfigResource(ConfigResource.Type.TOPIC, TOPIC);

  static void cluster() throws Exception {
    var found = admin.describeCluster(new DescribeClusterOptions().includeAuthorizedOperations(true));
    int node = found.controller().get().id();
    found.authorizedOperations().get();
    var resource = new ConfigResource(ConfigResource.Type.BROKER, "" + node);
    var configs = admin.describeConfigs(List.of(resource)).all().get().get(resource);
    equal(configs.get("delete.topic.enable").value(), "true");
    equal(admin.describeFeatures().featureMetadata().get().finalizedFeatures().containsKey("metadata.version"), true);
    disabled(admin.describeAcls(AclBindingFilter.ANY).values());
    equal(admin.describeLogDirs(List.of(node)).allDescriptions().get().containsKey(node), true);
    admin.describeMetadataQuorum().quorumInfo().get();
    admin.describeClientQuotas(ClientQuotaFilter.all()).entities().get();
  }

  static Map<TopicPartition, Long> offsets(Collection<TopicPartition> places, OffsetSpec spec) throws Exception {
    var asked = admin.listOffsets(places.stream().collect(Collectors.toMap(one -> one, one -> spec)));
    return asked.all().get().entrySet().stream()
        .collect(Collectors.toMap(Map.Entry::getKey, one -> one.getValue().offset()));
  }

  static void topics() throws Exception {
    furnish("gzip");
    var names = admin.listTopics(new ListTopicsOptions().listInternal(true)).names().get();
    var resources = names.stream().map(one -> new ConfigResource(ConfigResource.Type.TOPIC, one)).toList();
    var configs = admin.describeConfigs(resources,
        new DescribeConfigsOptions().includeSynonyms(true).includeDocumentation(true)).values();
    equal(configs.get(OF_TOPIC).get().get("retention.ms").synonyms().get(0).value(), "600000");
    for (var one : admin.describeTopics(names).topicNameValues().values()) one.get();
    equal(List.copyOf(offsets(PLACES, OffsetSpec.latest()).values()), List.of(10L, 10L, 10L));
    for (var one : admin.describeProducers(PLACES, new DescribeProducersOptions()).all().get().values()) one.activeProducers();
    var changes = List.of(
        new AlterConfigOp(new ConfigEntry("cleanup.policy", "compact"), AlterConfigOp.OpType.SET),
        new AlterConfigOp(new ConfigEntry("retention.ms", ""), AlterConfigOp.OpType.DELETE));
    admin.incrementalAlterConfigs(Map.of(OF_TOPIC, changes)).all().get();
    var delete = new AlterConfigOp(new ConfigEntry("cleanup.policy", "delete"), AlterConfigOp.OpType.SET);
    admin.incrementalAlterConfigs(Map.of(OF_TOPIC, List.of(delete))).all().get();
    admin.alterPartitionReassignments(Map.of(PLACES.get(0), Optional.of(new NewPartitionReassignment(List.of(1))))).all().get();
    var replica = new TopicPartitionReplica(TOPIC, 0, 1);
    String folder = admin.describeReplicaLogDirs(List.of(replica)).all().get().get(replica).getCurrentReplicaLogDir();
    admin.alterReplicaLogDirs(Map.of(replica, folder)).all().get();
  }

  static void messages() {
    try (var reader = consumer("client.id", "kafbat-ui-consumer-" + System.currentTimeMillis(), "receive.buffer.bytes", "-1",
        "max.poll.records", "100000")) {
      reader.partitionsFor(TOPIC);
      var begin = reader.beginningOffsets(PLACES);
      var end = reader.endOffsets(PLACES);
      for (var place : PLACES) {
        equal(range(reader, place, begin.get(place), end.get(place)).size(), 10);
        equal(range(reader, place, end.get(place) - 4, end.get(place) - 2).size(), 2);
      }
      var since = reader.offsetsForTimes(PLACES.stream().collect(Collectors.toMap(one -> one, one -> 1L)));
      equal(since.values().stream().mapToLong(one -> one.offset()).sum(), 0L);
    }
  }

  static void groups() throws Exception {
    var all = admin.listConsumerGroups().all().get().stream().map(ConsumerGroupListing::groupId).toList();
    equal(admin.describeConsumerGroups(all).all().get().containsKey(TOPIC), true);
    var specs = all.stream().collect(Collectors.toMap(one -> one, one -> new ListConsumerGroupOffsetsSpec().topicPartitions(null)));
    var kept = admin.listConsumerGroupOffsets(specs, new ListConsumerGroupOffsetsOptions()).all().get().get(TOPIC);
    equal(kept.values().stream().mapToLong(OffsetAndMetadata::offset).sum(), 30L);
    admin.alterConsumerGroupOffsets(TOPIC, Map.of(PLACES.get(0), new OffsetAndMetadata(0))).all().get();
    admin.deleteConsumerGroupOffsets(TOPIC, Set.copyOf(PLACES)).all().get();
    admin.deleteConsumerGroups(List.of(TOPIC)).all().get();
  }

  static void removal() throws Exception {
    var ends = offsets(PLACES, OffsetSpec.latest());
    admin.deleteRecords(ends.entrySet().stream()
        .collect(Collectors.toMap(Map.Entry::getKey, one -> RecordsToDelete.beforeOffset(one.getValue())))).all().get();
    equal(offsets(PLACES, OffsetSpec.earliest()), ends);
    admin.createPartitions(Map.of(TOPIC, NewPartitions.increaseTo(5))).all().get();
    admin.deleteTopics(List.of(TOPIC)).all().get();
    // "Recreate" asks again and again until the name is free.
    until("made anew", () -> {
      try {
        admin.createTopics(List.of(new NewTopic(TOPIC, Optional.of(2), Optional.empty()))).all().get();
        return true;
      } catch (java.util.concurrent.ExecutionException taken) {
        return false;
      }
    });
    // Apache Kafka answers before all of its parts know of a topic.
    until("the new partitions", () -> {
      try {
        return List.copyOf(offsets(PLACES.subList(0, 2), OffsetSpec.latest()).values()).equals(List.of(0L, 0L));
      } catch (java.util.concurrent.ExecutionException notYet) {
        return false;
      }
    });
  }

  public static void main(String[] arguments) throws Exception {
    admin = AdminClient.create(KafkaSettings.plain());
    new Checks()
        .add("cluster", KafkaUi::cluster)
        .add("topics", KafkaUi::topics)
        .add("messages", KafkaUi::messages)
        .add("groups", KafkaUi::groups)
        .add("removal", KafkaUi::removal)
        .main("kafka-ui's calls", AdminClient.class);
  }
}
