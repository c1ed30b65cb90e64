import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.HashMap;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.errors.GroupAuthorizationException;
import org.apache.kafka.common.errors.SaslAuthenticationException;
import org.apache.kafka.common.errors.SslAuthenticationException;
import org.apache.kafka.common.errors.TopicAuthorizationException;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** The user alice of tests/clients/secured.py: what it may do, what it may not, and who it is not. */
public class Secured {
  static final StringSerializer TEXT = new StringSerializer();

  static Map<String, Object> settings(String password, boolean trusting) throws Exception {
    Map<String, Object> map = new HashMap<>();
    map.put("bootstrap.servers", System.getenv("KAFKA_TLS_BOOTSTRAP_SERVERS"));
    map.put("security.protocol", "SASL_SSL");
    map.put("sasl.mechanism", "PLAIN");
    map.put("sasl.jaas.config",
        "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"alice\""
            + " password=\"" + password + "\";");
    if (trusting) {
      map.put("ssl.truststore.type", "PEM");
      map.put("ssl.truststore.certificates",
          Files.readString(Path.of(System.getenv("MOCKFORGE_TLS_CA"))));
    }
    map.put("request.timeout.ms", 10_000);
    map.put("default.api.timeout.ms", 20_000);
    return map;
  }

  interface Attempt { void run() throws Exception; }

  static void fails(Class<? extends Throwable> kind, String words, Attempt attempt) throws Exception {
    try {
      attempt.run();
    } catch (Throwable error) {
      Throwable cause = error instanceof ExecutionException ? error.getCause() : error;
      if (kind.isInstance(cause) && cause.getMessage().contains(words)) return;
      throw new AssertionError("expected " + kind + " with " + words, cause);
    }
    throw new AssertionError(kind + " was not thrown");
  }

  public static void main(String[] arguments) throws Exception {
    var good = settings("secret", true);
    try (var producer = new KafkaProducer<>(good, TEXT, TEXT)) {
      producer.send(new ProducerRecord<>("orders.java", "here")).get();
      fails(TopicAuthorizationException.class, "elsewhere",
          () -> producer.send(new ProducerRecord<>("elsewhere", "x")).get());
    }
    var group = new HashMap<>(good);
    group.put("group.id", "billing");
    group.put("auto.offset.reset", "earliest");
    var reads = new StringDeserializer();
    try (var consumer = new KafkaConsumer<>(group, reads, reads)) {
      consumer.subscribe(List.of("orders.java"));
      ConsumerRecord<String, String> found = null;
      for (int i = 0; i < 100 && found == null; i++)
        for (var record : consumer.poll(Duration.ofMillis(200))) found = record;
      if (found == null || !found.value().equals("here")) throw new AssertionError("no record");
    }
    group.put("group.id", "other");
    try (var consumer = new KafkaConsumer<>(group, reads, reads)) {
      consumer.subscribe(List.of("orders.java"));
      fails(GroupAuthorizationException.class, "other", () -> {
        for (int i = 0; i < 100; i++) consumer.poll(Duration.ofMillis(200));
      });
    }
    try (var admin = Admin.create(settings("wrong", true))) {
      fails(SaslAuthenticationException.class, "Authentication failed: Invalid username or password",
          () -> admin.listTopics().names().get());
    }
    try (var admin = Admin.create(settings("secret", false))) {
      fails(SslAuthenticationException.class, "SSL handshake failed",
          () -> admin.listTopics().names().get());
    }
    System.out.println("kafka-clients: SASL PLAIN over TLS");
  }
}
