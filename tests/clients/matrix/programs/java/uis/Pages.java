import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** What is alike in web interfaces for Kafka: a topic with records and a group, and its furniture. */
class Pages extends Checks {
  static final String TOPIC = RUN + "-pages";
  static final List<TopicPartition> PLACES = IntStream.range(0, 3).mapToObj(one -> new TopicPartition(TOPIC, one)).toList();
  static Admin admin;

  /** 30 records and a group that has read 10 of partition 0. */
  static void furnish(String codec) throws Exception {
    admin.createTopics(List.of(new NewTopic(TOPIC, 3, (short) 1).configs(Map.of("retention.ms", "600000")))).all().get();
    var map = KafkaSettings.plain();
    map.put("compression.type", codec);
    try (var producer = new KafkaProducer<>(map, new ByteArraySerializer(), new ByteArraySerializer())) {
      for (int number = 0; number < 30; number++) {
        var record = new ProducerRecord<>(TOPIC, number % 3, ("k" + number).getBytes(), ("v" + number).getBytes());
        record.headers().add("a", "1".getBytes());
        producer.send(record).get();
      }
    }
    try (var reader = consumer("group.id", TOPIC)) {
      reader.subscribe(List.of(TOPIC));
      var found = new ArrayList<ConsumerRecord<byte[], byte[]>>();
      until("all records", () -> {
        reader.poll(Duration.ofMillis(50)).forEach(found::add);
        return found.size() == 30;
      });
      reader.commitSync();
    }
  }

  static KafkaConsumer<byte[], byte[]> consumer(Object... more) {
    var map = KafkaSettings.plain();
    map.put("auto.offset.reset", "earliest");
    map.put("enable.auto.commit", "false");
    map.put("allow.auto.create.topics", "false");
    for (int at = 0; at < more.length; at += 2) map.put((String) more[at], more[at + 1]);
    return new KafkaConsumer<>(map, new ByteArrayDeserializer(), new ByteArrayDeserializer());
  }

  /** The records of one partition from one offset to before another. */
  static List<String> range(KafkaConsumer<byte[], byte[]> reader, TopicPartition place, long from, long end) {
    reader.assign(List.of(place));
    reader.seek(place, from);
    var found = new ArrayList<String>();
    while (reader.position(place) < end) {
      for (var record : reader.poll(Duration.ofMillis(500)).records(place)) {
        if (record.offset() < end) found.add(new String(record.value()));
      }
    }
    return found;
  }

  static void disabled(org.apache.kafka.common.KafkaFuture<? extends Collection<?>> asked) throws Exception {
    try {
      asked.get();
    } catch (ExecutionException error) {
      equal(error.getCause().getClass().getSimpleName(), "SecurityDisabledException");
      return;
    }
    throw new AssertionError("not refused");
  }
}
