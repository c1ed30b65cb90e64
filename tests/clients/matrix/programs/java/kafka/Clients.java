import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** Apache Kafka's own client. */
public class Clients extends Checks {
  static final StringSerializer TEXT = new StringSerializer();
  static final StringDeserializer READ = new StringDeserializer();

  static Map<String, Object> settings(Object... pairs) {
    var map = KafkaSettings.plain();
    for (int at = 0; at < pairs.length; at += 2) map.put((String) pairs[at], pairs[at + 1]);
    return map;
  }

  static void made(String topic, int partitions) throws Exception {
    try (var admin = Admin.create(settings())) {
      admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 1))).all().get();
    }
  }

  static void send(KafkaProducer<String, String> to, String topic, int from, int end)
      throws Exception {
    for (; from < end; from++) {
      to.send(new ProducerRecord<>(topic, "k" + from, "" + from)).get();
    }
  }

  static KafkaConsumer<String, String> consumer(String topic, String group, Object... more) {
    var map = settings(more);
    map.put("group.id", RUN + "-" + group);
    map.put("auto.offset.reset", "earliest");
    var made = new KafkaConsumer<String, String>(map, READ, READ);
    made.subscribe(List.of(topic));
    return made;
  }

  static Set<String> read(KafkaConsumer<String, String> from, int count) throws Exception {
    Set<String> found = new TreeSet<>();
    until(count + " records", () -> {
      from.poll(Duration.ofMillis(100)).forEach(one -> found.add(one.value()));
      return found.size() >= count;
    });
    return found;
  }

  static void produce() throws Exception {
    for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
      String topic = RUN + "-" + codec;
      var map = settings("compression.type", codec, "enable.idempotence", true, "acks", "all");
      try (var producer = new KafkaProducer<>(map, TEXT, TEXT);
          var reader = consumer(topic, codec)) {
        send(producer, topic, 0, 20);
        read(reader, 20);
      }
    }
  }

  static void group(String protocol) throws Exception {
    String topic = RUN + "-group-" + protocol;
    Object[] more = protocol.equals("classic") ? new Object[0] : new Object[] {"group.protocol", protocol};
    made(topic, 4);
    var first = consumer(topic, topic, more);
    var second = consumer(topic, topic, more);
    until("two each", () -> {
      for (var one : List.of(first, second)) one.poll(Duration.ofMillis(50));
      return first.assignment().size() == 2 && second.assignment().size() == 2;
    });
    second.close();
    until("all for who is left", () -> {
      first.poll(Duration.ofMillis(50));
      return first.assignment().size() == 4;
    });
    try (var producer = new KafkaProducer<>(settings(), TEXT, TEXT)) {
      send(producer, topic, 0, 20);
      read(first, 20);
      first.commitSync();
      first.close();
      send(producer, topic, 20, 21);
    }
    try (var again = consumer(topic, topic, more)) {
      equal(read(again, 1), Set.of("20"));
    }
  }

  static void transactions() throws Exception {
    String source = RUN + "-tx", target = RUN + "-tx-target";
    made(source, 1);
    made(target, 1);
    var group = new Object[] {"isolation.level", "read_committed", "enable.auto.commit", false};
    try (var producer = new KafkaProducer<>(settings("transactional.id", source), TEXT, TEXT);
        var reader = consumer(source, "tx", group);
        var moved = consumer(target, "tx-moved", group)) {
      producer.initTransactions();
      for (int number = 0; number < 4; number++) {
        producer.beginTransaction();
        send(producer, source, number, number + 1);
        if (number % 2 == 0) producer.commitTransaction();
        else producer.abortTransaction();
      }
      equal(read(reader, 2), new TreeSet<>(List.of("0", "2")));
      producer.beginTransaction();
      send(producer, target, 0, 2);
      var place = new TopicPartition(source, 0);
      var next = new OffsetAndMetadata(reader.position(place));
      producer.sendOffsetsToTransaction(Map.of(place, next), reader.groupMetadata());
      producer.commitTransaction();
      equal(read(moved, 2).size(), 2);
      equal(reader.committed(Set.of(place)).get(place).offset(), next.offset());
      try (var later = new KafkaProducer<>(settings("transactional.id", source), TEXT, TEXT)) {
        later.initTransactions();
        producer.beginTransaction();
        refused(() -> send(producer, source, 9, 10));
      }
    }
  }

  static void admin() throws Exception {
    String topic = RUN + "-admin";
    made(topic, 2);
    try (var admin = Admin.create(settings());
        var producer = new KafkaProducer<>(settings(), TEXT, TEXT);
        var reader = consumer(topic, "admin")) {
      admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(5))).all().get();
      var resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
      var change = new AlterConfigOp(new ConfigEntry("retention.ms", "600000"), AlterConfigOp.OpType.SET);
      admin.incrementalAlterConfigs(Map.of(resource, List.of(change))).all().get();
      // Kafka answers before its own metadata has come to know of it.
      until("the config", () -> admin.describeConfigs(List.of(resource)).all().get().get(resource)
          .get("retention.ms").value().equals("600000"));
      send(producer, topic, 0, 10);
      read(reader, 10);
      reader.commitSync();
      String group = RUN + "-admin";
      equal(admin.describeConsumerGroups(List.of(group)).all().get().get(group).members().size(), 1);
      var kept = admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
      equal(kept.values().stream().filter(one -> one != null).mapToLong(one -> one.offset()).sum(), 10L);
      reader.close();
      var place = new TopicPartition(topic, 0);
      long end = admin.listOffsets(Map.of(place, OffsetSpec.latest())).partitionResult(place).get().offset();
      admin.deleteRecords(Map.of(place, RecordsToDelete.beforeOffset(end))).all().get();
      var first = admin.listOffsets(Map.of(place, OffsetSpec.earliest())).partitionResult(place).get();
      equal(first.offset(), end);
      admin.describeLogDirs(List.of(1)).allDescriptions().get();
      equal(admin.describeCluster().nodes().get().size(), 1);
      admin.alterConsumerGroupOffsets(group, Map.of(place, new OffsetAndMetadata(0))).all().get();
      admin.deleteConsumerGroups(List.of(group)).all().get();
      admin.deleteTopics(List.of(topic)).all().get();
    }
  }

  static void survive(String what) throws Exception {
    String topic = RUN + "-" + what;
    made(topic, 2);
    var map = settings("enable.idempotence", true, "acks", "all");
    try (var producer = new KafkaProducer<>(map, TEXT, TEXT); var reader = consumer(topic, what)) {
      send(producer, topic, 0, 1);
      read(reader, 1);
      reader.commitSync();
      happen(what);
      send(producer, topic, 1, 30);
      equal(read(reader, 29).size(), 29);
    }
  }

  static void secured() throws Exception {
    for (String mechanism : List.of("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")) {
      try (var admin = Admin.create(KafkaSettings.login(mechanism, "secret"))) {
        admin.listTopics().names().get();
      }
      try (var admin = Admin.create(KafkaSettings.login(mechanism, "wrong"))) {
        refused(() -> admin.listTopics().names().get());
      }
    }
  }

  public static void main(String[] arguments) throws Exception {
    var checks = new Checks().add("produce", Clients::produce).add("group", () -> group("classic"));
    var names = new ArrayList<>(org.apache.kafka.clients.consumer.ConsumerConfig.configNames());
    if (names.contains("group.protocol")) checks.add("KIP-848", () -> group("consumer"));
    checks.add("transactions", Clients::transactions)
        .add("admin", Clients::admin)
        .add("kill", () -> survive("kill"))
        .add("restart", () -> survive("restart"))
        .add("TLS", Clients::secured)
        .main("kafka-clients", KafkaProducer.class);
  }
}
