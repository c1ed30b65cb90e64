import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.AbortTransactionSpec;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.TransactionState;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InvalidProducerEpochException;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** Apache Kafka's own client and transactions V2, against KAFKA_BOOTSTRAP_SERVERS. */
public class Transactions {
  static final StringSerializer TEXT = new StringSerializer();

  static Map<String, Object> settings(Object... pairs) {
    Map<String, Object> map = new HashMap<>();
    map.put("bootstrap.servers", System.getenv("KAFKA_BOOTSTRAP_SERVERS"));
    for (int at = 0; at < pairs.length; at += 2) map.put((String) pairs[at], pairs[at + 1]);
    return map;
  }

  static KafkaProducer<String, String> producer(String name) {
    var made = new KafkaProducer<>(settings("transactional.id", name), TEXT, TEXT);
    made.initTransactions();
    return made;
  }

  static List<String> read(String topic, String isolation) {
    var text = new StringDeserializer();
    try (var consumer = new KafkaConsumer<>(settings("isolation.level", isolation), text, text)) {
      var place = new TopicPartition(topic, 0);
      consumer.assign(List.of(place));
      consumer.seekToBeginning(List.of(place));
      long end = consumer.endOffsets(List.of(place)).get(place);
      List<String> found = new ArrayList<>();
      while (consumer.position(place) < end) {
        consumer.poll(Duration.ofSeconds(1)).forEach(one -> found.add(one.value()));
      }
      return found;
    }
  }

  static void expect(Object wanted, Object got) {
    if (!wanted.equals(got)) throw new AssertionError("expected " + wanted + ", got " + got);
  }

  static void send(KafkaProducer<String, String> producer, String topic, String... values)
      throws Exception {
    for (String value : values) producer.send(new ProducerRecord<>(topic, 0, "k", value)).get();
  }

  static void committedAndAborted(Admin admin) throws Exception {
    try (var producer = producer("java")) {
      for (int number = 0; number < 6; number++) {
        producer.beginTransaction();
        send(producer, "java.seen", "a" + number, "b" + number);
        if (number % 2 == 0) producer.commitTransaction();
        else producer.abortTransaction();
      }
    }
    expect(List.of("a0", "b0", "a2", "b2", "a4", "b4"), read("java.seen", "read_committed"));
    expect(12, read("java.seen", "read_uncommitted").size());
    var state = admin.describeTransactions(Set.of("java")).all().get().get("java");
    expect(TransactionState.COMPLETE_ABORT, state.state());
    expect(6, state.producerEpoch());
  }

  static void fencing() throws Exception {
    var first = producer("fenced");
    first.beginTransaction();
    send(first, "java.fenced", "first");
    try (var second = producer("fenced")) {
      try {
        first.commitTransaction();
        throw new AssertionError("the first producer is not fenced");
      } catch (ProducerFencedException | InvalidProducerEpochException wanted) {
        first.close(Duration.ZERO);
      }
      second.beginTransaction();
      send(second, "java.fenced", "second");
      second.commitTransaction();
    }
    expect(List.of("second"), read("java.fenced", "read_committed"));
  }

  static void offsets(Admin admin, String protocol) throws Exception {
    String source = "java.source." + protocol, target = "java.target." + protocol;
    for (String name : List.of(source, target)) {
      admin.createTopics(List.of(new NewTopic(name, 1, (short) 1))).all().get();
    }
    var text = new StringDeserializer();
    try (var plain = new KafkaProducer<>(settings(), TEXT, TEXT)) {
      send(plain, source, "1", "2", "3");
    }
    var place = new TopicPartition(source, 0);
    var group = settings(
        "group.id", "java." + protocol, "auto.offset.reset", "earliest", "enable.auto.commit", false,
        "isolation.level", "read_committed", "group.protocol", protocol);
    try (var consumer = new KafkaConsumer<>(group, text, text); var producer = producer("ctp")) {
      consumer.subscribe(List.of(source));
      List<String> values = new ArrayList<>();
      while (values.size() < 3) {
        consumer.poll(Duration.ofSeconds(1)).forEach(one -> values.add(one.value()));
      }
      producer.beginTransaction();
      send(producer, target, values.toArray(new String[0]));
      var at = new org.apache.kafka.clients.consumer.OffsetAndMetadata(3);
      producer.sendOffsetsToTransaction(Map.of(place, at), consumer.groupMetadata());
      producer.commitTransaction();
    }
    var kept = admin.listConsumerGroupOffsets("java." + protocol).partitionsToOffsetAndMetadata();
    expect(3L, kept.get().get(place).offset());
    expect(List.of("1", "2", "3"), read(target, "read_committed"));
  }

  static void administration(Admin admin) throws Exception {
    var place = new TopicPartition("java.admin", 0);
    var producer = producer("admin");
    producer.beginTransaction();
    send(producer, "java.admin", "open");
    var listed = admin.listTransactions().all().get();
    var open = listed.stream().filter(one -> one.transactionalId().equals("admin")).findFirst();
    expect(TransactionState.ONGOING, open.get().state());
    var described = admin.describeTransactions(Set.of("admin")).all().get().get("admin");
    expect(Set.of(place), described.topicPartitions());
    var states = admin.describeProducers(List.of(place)).partitionResult(place).get();
    var state = states.activeProducers().get(0);
    expect(0L, state.currentTransactionStartOffset().getAsLong());
    admin.fenceProducers(Set.of("admin")).all().get();
    expect(List.of(), read("java.admin", "read_committed"));
    try {
      producer.commitTransaction();
      throw new AssertionError("the producer is not fenced");
    } catch (ProducerFencedException | InvalidProducerEpochException wanted) {
      producer.close(Duration.ZERO);
    }
  }

  static void features(Admin admin) throws Exception {
    var found = admin.describeFeatures().featureMetadata().get().finalizedFeatures();
    expect((short) 2, found.get("transaction.version").maxVersionLevel());
  }

  public static void main(String[] arguments) throws Exception {
    try (var admin = Admin.create(settings())) {
      for (String name : List.of("seen", "fenced", "admin")) {
        admin.createTopics(List.of(new NewTopic("java." + name, 1, (short) 1))).all().get();
      }
      features(admin);
      committedAndAborted(admin);
      fencing();
      for (String protocol : List.of("classic", "consumer")) offsets(admin, protocol);
      administration(admin);
    }
    System.out.println("ok");
  }
}
