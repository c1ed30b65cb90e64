import java.util.HashMap;
import java.util.Map;

/** What each client of Kafka is given, as properties. */
class KafkaSettings {
  static Map<String, Object> plain() {
    return new HashMap<>(Map.of("bootstrap.servers", Checks.env("KAFKA_BOOTSTRAP_SERVERS"), "reconnect.backoff.max.ms", 200));
  }

  /** Over TLS, as alice. */
  static Map<String, Object> login(String mechanism, String password) {
    String module = mechanism.equals("PLAIN") ? "plain.Plain" : "scram.Scram";
    return new HashMap<>(Map.of(
        "bootstrap.servers", Checks.env("KAFKA_TLS_BOOTSTRAP_SERVERS"),
        "security.protocol", "SASL_SSL",
        "ssl.truststore.type", "PEM",
        "ssl.truststore.location", Checks.env("MOCKFORGE_TLS_CA"),
        "sasl.mechanism", mechanism,
        "sasl.jaas.config", "org.apache.kafka.common.security." + module
            + "LoginModule required username=\"alice\" password=\"" + password + "\";"));
  }
}
