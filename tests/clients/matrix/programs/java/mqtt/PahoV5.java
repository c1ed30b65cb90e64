import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.eclipse.paho.mqttv5.client.IMqttToken;
import org.eclipse.paho.mqttv5.client.MqttCallback;
import org.eclipse.paho.mqttv5.client.MqttClient;
import org.eclipse.paho.mqttv5.client.MqttConnectionOptions;
import org.eclipse.paho.mqttv5.client.MqttDisconnectResponse;
import org.eclipse.paho.mqttv5.client.persist.MemoryPersistence;
import org.eclipse.paho.mqttv5.common.MqttException;
import org.eclipse.paho.mqttv5.common.MqttMessage;
import org.eclipse.paho.mqttv5.common.packet.MqttProperties;
import org.eclipse.paho.mqttv5.common.packet.UserProperty;

/** Paho's Java client of MQTT 5.0. */
public class PahoV5 extends Checks {
  static class Device {
    final MqttClient client;
    final ConcurrentLinkedQueue<MqttMessage> got = new ConcurrentLinkedQueue<>();

    Device(String name, String url) throws Exception {
      client = new MqttClient(url, RUN + "-v5-" + name, new MemoryPersistence());
      client.setCallback(new MqttCallback() {
        public void disconnected(MqttDisconnectResponse response) {}

        public void mqttErrorOccurred(MqttException error) {}

        public void deliveryComplete(IMqttToken token) {}

        public void connectComplete(boolean again, String url) {}

        public void authPacketArrived(int code, MqttProperties properties) {}

        public void messageArrived(String topic, MqttMessage one) {
          got.add(one);
        }
      });
    }

    Device(String name) throws Exception {
      this(name, env("MQTT_URL").replace("mqtt:", "tcp:"));
    }

    Device connect(MqttConnectionOptions options) throws Exception {
      client.connect(options);
      return this;
    }

    void send(String topic, int qos, boolean kept) throws Exception {
      client.publish(topic, "m".getBytes(), qos, kept);
    }

    MqttMessage message(int count) throws Exception {
      until(count + " messages", () -> got.size() >= count);
      return got.peek();
    }

    void close() throws Exception {
      client.disconnect();
      client.close();
    }
  }

  static String topic(String name) {
    return RUN + "/v5/" + name;
  }

  static MqttConnectionOptions fresh() {
    return new MqttConnectionOptions();
  }

  static MqttConnectionOptions lasting() {
    var options = fresh();
    options.setCleanStart(false);
    options.setSessionExpiryInterval(300L);
    return options;
  }

  static void qos() throws Exception {
    var device = new Device("qos").connect(fresh());
    device.client.subscribe(topic("qos/+"), 2);
    for (int level = 0; level < 3; level++) device.send(topic("qos/" + level), level, false);
    device.message(3);
    var levels = new TreeSet<Integer>();
    device.got.forEach(one -> levels.add(one.getQos()));
    equal(levels, new TreeSet<>(Set.of(0, 1, 2)));
    device.close();
  }

  static void retained() throws Exception {
    var device = new Device("retained").connect(fresh());
    device.send(topic("kept"), 1, true);
    device.client.subscribe(topic("kept"), 1);
    equal(device.message(1).isRetained(), true);
    device.close();
  }

  static void will() throws Exception {
    var watcher = new Device("watcher").connect(fresh());
    watcher.client.subscribe(topic("will"), 1);
    var options = fresh();
    options.setWill(topic("will"), new MqttMessage("gone".getBytes(), 1, false, new MqttProperties()));
    var doomed = new Device("doomed").connect(options);
    doomed.client.disconnectForcibly(0, 0, false);
    watcher.message(1);
    watcher.close();
  }

  static void session() throws Exception {
    var first = new Device("sleeper").connect(lasting());
    first.client.subscribe(topic("away"), 1);
    first.close();
    var other = new Device("other").connect(fresh());
    other.send(topic("away"), 1, false);
    other.close();
    var again = new Device("sleeper").connect(lasting());
    again.message(1);
    again.close();
  }

  static void properties() throws Exception {
    var device = new Device("properties").connect(fresh());
    device.client.subscribe(topic("properties"), 1);
    var properties = new MqttProperties();
    properties.setResponseTopic("answers");
    properties.setCorrelationData("7".getBytes());
    properties.setUserProperties(java.util.List.of(new UserProperty("a", "1")));
    device.client.publish(topic("properties"), new MqttMessage("x".getBytes(), 1, false, properties));
    var got = device.message(1).getProperties();
    equal(got.getResponseTopic(), "answers");
    equal(got.getUserProperties().get(0).getValue(), "1");
    device.close();
  }

  static void survive(String what) throws Exception {
    var options = lasting();
    options.setAutomaticReconnect(true);
    options.setAutomaticReconnectDelay(1, 1);
    var device = new Device(what).connect(options);
    device.client.subscribe(topic(what), 1);
    happen(what);
    until("the message", () -> {
      try {
        var other = new Device(what + "-other").connect(fresh());
        other.send(topic(what), 1, false);
        other.close();
      } catch (Exception notYet) {
        return false;
      }
      Thread.sleep(200);
      return !device.got.isEmpty();
    });
    device.close();
  }

  static void secured() throws Exception {
    var options = fresh();
    options.setSocketFactory(tls().getSocketFactory());
    options.setUserName("alice");
    options.setPassword("secret".getBytes());
    var device = new Device("tls", env("MQTT_TLS_URL").replace("mqtts:", "ssl:")).connect(options);
    device.client.subscribe(topic("tls"), 1);
    device.send(topic("tls"), 1, false);
    device.message(1);
    device.close();
    options.setPassword("wrong".getBytes());
    refused(() -> new Device("wrong", env("MQTT_TLS_URL").replace("mqtts:", "ssl:")).connect(options));
  }

  public static void main(String[] arguments) throws Exception {
    new Checks()
        .add("QoS", PahoV5::qos)
        .add("retained", PahoV5::retained)
        .add("will", PahoV5::will)
        .add("session", PahoV5::session)
        .add("properties", PahoV5::properties)
        .add("kill", () -> survive("kill"))
        .add("restart", () -> survive("restart"))
        .add("TLS", PahoV5::secured)
        .main("Paho Java v5", MqttClient.class);
  }
}
