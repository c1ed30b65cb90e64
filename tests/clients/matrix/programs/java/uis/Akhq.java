import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.acl.AclBindingFilter;
import org.apache.kafka.common.config.ConfigResource;

/** The calls that AKHQ makes for its pages: AbstractKafkaWrapper and its repositories. */
public class Akhq extends Pages {
  static void nodes() throws Exception {
    var cluster = admin.describeCluster();
    cluster.clusterId().get();
    cluster.controller().get();
    var nodes = cluster.nodes().get().stream().map(Node::id).toList();
    admin.describeLogDirs(nodes).allDescriptions().get();
    var resources = nodes.stream().map(one -> new ConfigResource(ConfigResource.Type.BROKER, "" + one)).toList();
    equal(admin.describeConfigs(resources).all().get().size(), nodes.size());
    disabled(admin.describeAcls(AclBindingFilter.ANY).values());
  }

  static void topics() throws Exception {
    furnish("none");
    var names = admin.listTopics(new ListTopicsOptions().listInternal(true)).listings().get().stream()
        .map(TopicListing::name).toList();
    equal(admin.describeTopics(names).allTopicNames().get().get(TOPIC).partitions().size(), 3);
    try (var reader = consumer()) {
      var begin = reader.beginningOffsets(PLACES);
      reader.endOffsets(PLACES).forEach((place, end) -> equal(end - begin.get(place), 10L));
    }
    var resource = new ConfigResource(ConfigResource.Type.TOPIC, TOPIC);
    // All that differs from the defaults, whole: the older call, in which what is left out is reset.
    var kept = admin.describeConfigs(List.of(resource)).all().get().get(resource).entries().stream()
        .filter(one -> one.source() == ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG)
        .collect(Collectors.toMap(ConfigEntry::name, ConfigEntry::value));
    equal(kept, Map.of("retention.ms", "600000"));
    admin.alterConfigs(Map.of(resource, new Config(List.of(new ConfigEntry("segment.ms", "60000"))))).all().get();
    var found = admin.describeConfigs(List.of(resource)).all().get().get(resource);
    equal(found.get("segment.ms").value(), "60000");
    equal(found.get("retention.ms").isDefault(), true);
    admin.createPartitions(Map.of(TOPIC, NewPartitions.increaseTo(4))).all().get();
  }

  static void records() {
    try (var reader = consumer("max.poll.records", 5)) {
      var end = reader.endOffsets(PLACES);
      for (var place : PLACES) {
        equal(range(reader, place, 0, 5).size(), 5);
        equal(range(reader, place, end.get(place) - 3, end.get(place)).size(), 3);
      }
      var since = reader.offsetsForTimes(PLACES.stream().collect(Collectors.toMap(one -> one, one -> 1L)));
      equal(since.size(), 3);
    }
    try (var one = consumer("max.poll.records", 1)) {
      equal(range(one, PLACES.get(1), 4, 5), List.of("v13"));
    }
  }

  static void groups() throws Exception {
    var all = admin.listConsumerGroups().all().get().stream().map(ConsumerGroupListing::groupId).toList();
    for (var one : admin.describeConsumerGroups(all).describedGroups().entrySet()) one.getValue().get();
    var kept = admin.listConsumerGroupOffsets(TOPIC).partitionsToOffsetAndMetadata().get();
    equal(kept.values().stream().mapToLong(OffsetAndMetadata::offset).sum(), 30L);
    try (var writer = consumer("group.id", TOPIC)) {
      writer.commitSync(Map.of(PLACES.get(2), new OffsetAndMetadata(1)));
    }
    equal(admin.listConsumerGroupOffsets(TOPIC).partitionsToOffsetAndMetadata().get().get(PLACES.get(2)).offset(), 1L);
    admin.deleteConsumerGroupOffsets(TOPIC, new java.util.HashSet<>(PLACES)).all().get();
    admin.deleteConsumerGroups(List.of(TOPIC)).all().get();
  }

  static void removal() throws Exception {
    // "Empty topic" deletes up to the ends; a record of a compacted topic gets a tombstone.
    try (var reader = consumer()) {
      admin.deleteRecords(reader.endOffsets(PLACES).entrySet().stream()
          .collect(Collectors.toMap(Map.Entry::getKey, one -> RecordsToDelete.beforeOffset(one.getValue())))).all().get();
      equal(reader.beginningOffsets(PLACES), reader.endOffsets(PLACES));
    }
    admin.deleteTopics(List.of(TOPIC)).all().get();
  }

  public static void main(String[] arguments) throws Exception {
    admin = AdminClient.create(KafkaSettings.plain());
    new Checks()
        .add("nodes", Akhq::nodes)
        .add("topics", Akhq::topics)
        .add("records", Akhq::records)
        .add("groups", Akhq::groups)
        .add("removal", Akhq::removal)
        .main("AKHQ's calls", AdminClient.class);
  }
}
