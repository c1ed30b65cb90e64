import java.nio.file.Files;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.LongDeserializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Produced;

/** Kafka Streams counts words, with a changelog and a repartition topic. */
public class Words extends Checks {
  static Properties settings() {
    var map = new Properties();
    map.put("bootstrap.servers", env("KAFKA_BOOTSTRAP_SERVERS"));
    map.put("reconnect.backoff.max.ms", 200);
    return map;
  }

  static void count(String guarantee, String what) throws Exception {
    String name = RUN + "-" + guarantee + "-" + what, counted = name + "-counted";
    var builder = new StreamsBuilder();
    builder.<String, String>stream(name)
        .groupBy((key, value) -> value)
        .count()
        .toStream()
        .to(counted, Produced.with(Serdes.String(), Serdes.Long()));
    try (var admin = Admin.create(settings())) {
      var topics = List.of(new NewTopic(name, 2, (short) 1), new NewTopic(counted, 1, (short) 1));
      admin.createTopics(topics).all().get();
    }
    var map = settings();
    map.put("application.id", name);
    map.put("processing.guarantee", guarantee);
    map.put("default.key.serde", Serdes.StringSerde.class);
    map.put("default.value.serde", Serdes.StringSerde.class);
    map.put("auto.offset.reset", "earliest");
    map.put("commit.interval.ms", 100);
    map.put("state.dir", Files.createTempDirectory("streams").toString());
    var plain = settings();
    plain.put("group.id", name + "-reader");
    plain.put("auto.offset.reset", "earliest");
    plain.put("isolation.level", "read_committed");
    Map<String, Long> found = new HashMap<>();
    var text = new StringSerializer();
    try (var streams = new KafkaStreams(builder.build(), map);
        var producer = new KafkaProducer<>(settings(), text, text);
        var reader = new KafkaConsumer<>(plain, new StringDeserializer(), new LongDeserializer())) {
      streams.start();
      reader.subscribe(List.of(counted));
      for (long total : List.of(50L, 100L)) {
        for (int number = 0; number < 50; number++) {
          producer.send(new ProducerRecord<>(name, "" + number, "tea")).get();
        }
        until(total + " words", () -> {
          reader.poll(Duration.ofMillis(100)).forEach(one -> found.put(one.key(), one.value()));
          return found.getOrDefault("tea", 0L) == total;
        });
        if (total == 50 && !what.isEmpty()) happen(what);
      }
      streams.close(Duration.ofSeconds(10));
    }
  }

  public static void main(String[] arguments) throws Exception {
    new Checks()
        .add("at least once", () -> count("at_least_once", ""))
        .add("exactly once", () -> count("exactly_once_v2", ""))
        .add("kill", () -> count("exactly_once_v2", "kill"))
        .add("restart", () -> count("exactly_once_v2", "restart"))
        .main("Kafka Streams", KafkaStreams.class);
  }
}
