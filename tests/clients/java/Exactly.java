import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Grouped;

/** Kafka Streams with the guarantee of the first argument: words counted, through a repartition. */
public class Exactly {
  static Map<String, Object> settings() {
    Map<String, Object> map = new HashMap<>();
    map.put("bootstrap.servers", System.getenv("KAFKA_BOOTSTRAP_SERVERS"));
    return map;
  }

  public static void main(String[] arguments) throws Exception {
    String guarantee = arguments[0], source = "words." + guarantee, target = "counts." + guarantee;
    try (var admin = Admin.create(settings())) {
      admin.createTopics(List.of(
          new NewTopic(source, 2, (short) 1), new NewTopic(target, 1, (short) 1))).all().get();
    }
    var builder = new StreamsBuilder();
    builder.<String, String>stream(source)
        .groupBy((key, word) -> word, Grouped.as("by-word"))
        .count()
        .toStream()
        .mapValues(count -> Long.toString(count))
        .to(target);
    var properties = new Properties();
    properties.putAll(settings());
    properties.put("application.id", "counting." + guarantee);
    properties.put("processing.guarantee", guarantee);
    properties.put("commit.interval.ms", 50);
    properties.put("state.dir", System.getenv("STREAMS_STATE"));
    properties.put("default.key.serde", Serdes.StringSerde.class);
    properties.put("default.value.serde", Serdes.StringSerde.class);
    properties.put("auto.offset.reset", "earliest");
    var reading = settings();
    reading.put("isolation.level", "read_committed");
    reading.put("auto.offset.reset", "earliest");
    reading.put("group.id", "reading." + guarantee);
    var text = new StringDeserializer();
    var counts = new TreeMap<String, Long>();
    try (var streams = new KafkaStreams(builder.build(), properties);
        var producer = new KafkaProducer<>(settings(), new StringSerializer(), new StringSerializer());
        var consumer = new KafkaConsumer<>(reading, text, text)) {
      streams.start();
      for (int number = 0; number < 300; number++) {
        producer.send(new ProducerRecord<>(source, "k" + number, number % 3 == 0 ? "tea" : "milk"));
      }
      producer.flush();
      consumer.subscribe(List.of(target));
      while (!Map.of("tea", 100L, "milk", 200L).equals(counts)) {
        consumer.poll(Duration.ofMillis(500))
            .forEach(one -> counts.put(one.key(), Long.parseLong(one.value())));
      }
    }
    System.out.println("ok " + counts);
  }
}
