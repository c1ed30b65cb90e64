import com.hivemq.client.mqtt.MqttClientSslConfig;
import com.hivemq.client.mqtt.MqttGlobalPublishFilter;
import com.hivemq.client.mqtt.datatypes.MqttQos;
import com.hivemq.client.mqtt.mqtt5.Mqtt5BlockingClient;
import com.hivemq.client.mqtt.mqtt5.Mqtt5Client;
import com.hivemq.client.mqtt.mqtt5.Mqtt5ClientBuilder;
import com.hivemq.client.mqtt.mqtt5.message.publish.Mqtt5Publish;
import java.net.URI;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;

/** HiveMQ's client, MQTT 5.0. */
public class HiveMQ extends Checks {
  static class Device {
    final Mqtt5BlockingClient client;
    final ConcurrentLinkedQueue<Mqtt5Publish> got = new ConcurrentLinkedQueue<>();

    Device(Mqtt5ClientBuilder builder) {
      client = builder.buildBlocking();
      client.toAsync().publishes(MqttGlobalPublishFilter.ALL, got::add);
    }

    Device start(boolean lasting) {
      client.connectWith().cleanStart(!lasting).sessionExpiryInterval(lasting ? 300 : 0).send();
      return this;
    }

    void listen(String topic) {
      client.subscribeWith().topicFilter(topic).qos(MqttQos.EXACTLY_ONCE).send();
    }

    void send(String topic, MqttQos qos, boolean kept) {
      client.publishWith().topic(topic).qos(qos).retain(kept).payload("m".getBytes()).send();
    }

    Mqtt5Publish message(int count) throws Exception {
      until(count + " messages", () -> got.size() >= count);
      return got.peek();
    }
  }

  static Mqtt5ClientBuilder builder(String name, String variable) {
    var place = URI.create(env(variable));
    return Mqtt5Client.builder()
        .identifier(RUN + "-hive-" + name)
        .serverHost("localhost")
        .serverPort(place.getPort());
  }

  static Device device(String name, boolean lasting) {
    return new Device(builder(name, "MQTT_URL")).start(lasting);
  }

  static String topic(String name) {
    return RUN + "/hive/" + name;
  }

  static void qos() throws Exception {
    var device = device("qos", false);
    device.listen(topic("qos"));
    for (var level : MqttQos.values()) device.send(topic("qos"), level, false);
    device.message(3);
    var levels = new TreeSet<MqttQos>();
    device.got.forEach(one -> levels.add(one.getQos()));
    equal(levels, new TreeSet<>(Set.of(MqttQos.values())));
    device.client.disconnect();
  }

  static void retained() throws Exception {
    var device = device("retained", false);
    device.send(topic("kept"), MqttQos.AT_LEAST_ONCE, true);
    device.listen(topic("kept"));
    equal(device.message(1).isRetain(), true);
    device.client.disconnect();
  }

  static void will() throws Exception {
    var watcher = device("watcher", false);
    watcher.listen(topic("will"));
    var doomed = new Device(builder("doomed", "MQTT_URL"));
    doomed.client.connectWith()
        .willPublish().topic(topic("will")).qos(MqttQos.AT_LEAST_ONCE).payload("gone".getBytes())
        .applyWillPublish().send();
    var other = device("doomed", false); // takes the place of the first, which sends no DISCONNECT
    watcher.message(1);
    other.client.disconnect();
    watcher.client.disconnect();
  }

  static void session() throws Exception {
    var first = device("sleeper", true);
    first.listen(topic("away"));
    first.client.disconnect();
    var other = device("other", false);
    other.send(topic("away"), MqttQos.AT_LEAST_ONCE, false);
    other.client.disconnect();
    var again = device("sleeper", true);
    again.message(1);
    again.client.disconnect();
  }

  static void properties() throws Exception {
    var device = device("properties", false);
    device.listen(topic("properties"));
    device.client.publishWith().topic(topic("properties")).payload("m".getBytes())
        .responseTopic("answers").correlationData("7".getBytes())
        .userProperties().add("a", "1").applyUserProperties().send();
    var got = device.message(1);
    equal(got.getResponseTopic().get().toString(), "answers");
    equal(got.getUserProperties().asList().get(0).getValue().toString(), "1");
    device.client.disconnect();
  }

  static void survive(String what) throws Exception {
    var again = builder(what, "MQTT_URL").automaticReconnect()
        .initialDelay(50, TimeUnit.MILLISECONDS).maxDelay(300, TimeUnit.MILLISECONDS)
        .applyAutomaticReconnect();
    var device = new Device(again).start(true);
    device.listen(topic(what));
    happen(what);
    until("the message", () -> {
      try {
        var other = device(what + "-other", false);
        other.send(topic(what), MqttQos.AT_LEAST_ONCE, false);
        other.client.disconnect();
      } catch (Exception notYet) {
        return false;
      }
      Thread.sleep(200);
      return !device.got.isEmpty();
    });
    device.client.disconnect();
  }

  static void exchange(String variable, String password) throws Exception {
    var store = java.security.KeyStore.getInstance("PKCS12");
    store.load(null, null);
    try (var in = new java.io.FileInputStream(env("MOCKFORGE_TLS_CA"))) {
      var certificates = java.security.cert.CertificateFactory.getInstance("X.509");
      store.setCertificateEntry("ca", certificates.generateCertificate(in));
    }
    var trust = javax.net.ssl.TrustManagerFactory.getInstance("PKIX");
    trust.init(store);
    var builder = builder(variable, variable)
        .sslConfig(MqttClientSslConfig.builder().trustManagerFactory(trust).build())
        .simpleAuth().username("alice").password(password.getBytes()).applySimpleAuth();
    if (variable.contains("WSS")) builder = builder.webSocketConfig().serverPath("mqtt").applyWebSocketConfig();
    var device = new Device(builder).start(false);
    device.listen(topic(variable));
    device.send(topic(variable), MqttQos.AT_LEAST_ONCE, false);
    device.message(1);
    device.client.disconnect();
  }

  public static void main(String[] arguments) throws Exception {
    new Checks()
        .add("QoS", HiveMQ::qos)
        .add("retained", HiveMQ::retained)
        .add("will", HiveMQ::will)
        .add("session", HiveMQ::session)
        .add("properties", HiveMQ::properties)
        .add("kill", () -> survive("kill"))
        .add("restart", () -> survive("restart"))
        .add("TLS", () -> {
          exchange("MQTT_TLS_URL", "secret");
          refused(() -> exchange("MQTT_TLS_URL", "wrong"));
        })
        .add("WebSocket", () -> exchange("MQTT_WSS_URL", "secret"))
        .main("HiveMQ client", Mqtt5Client.class);
  }
}
