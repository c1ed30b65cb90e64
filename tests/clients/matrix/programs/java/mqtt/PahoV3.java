import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.eclipse.paho.client.mqttv3.IMqttDeliveryToken;
import org.eclipse.paho.client.mqttv3.MqttCallback;
import org.eclipse.paho.client.mqttv3.MqttClient;
import org.eclipse.paho.client.mqttv3.MqttConnectOptions;
import org.eclipse.paho.client.mqttv3.MqttMessage;
import org.eclipse.paho.client.mqttv3.persist.MemoryPersistence;

/** Paho's Java client of MQTT 3.1.1. */
public class PahoV3 extends Checks {
  static class Device {
    final MqttClient client;
    final ConcurrentLinkedQueue<String> got = new ConcurrentLinkedQueue<>();

    Device(String name, String url) throws Exception {
      client = new MqttClient(url, RUN + "-v3-" + name, new MemoryPersistence());
      client.setCallback(new MqttCallback() {
        public void connectionLost(Throwable cause) {}

        public void deliveryComplete(IMqttDeliveryToken token) {}

        public void messageArrived(String topic, MqttMessage one) {
          got.add(new String(one.getPayload()) + " " + one.getQos() + " " + one.isRetained());
        }
      });
    }

    Device(String name) throws Exception {
      this(name, env("MQTT_URL").replace("mqtt:", "tcp:"));
    }

    Device connect(boolean clean) throws Exception {
      var options = new MqttConnectOptions();
      options.setCleanSession(clean);
      client.connect(options);
      return this;
    }

    void messages(int count) throws Exception {
      until(count + " messages", () -> got.size() >= count);
    }

    void close() throws Exception {
      client.disconnect();
      client.close();
    }
  }

  static String topic(String name) {
    return RUN + "/v3/" + name;
  }

  static void qos() throws Exception {
    var device = new Device("qos").connect(true);
    device.client.subscribe(topic("qos/+"), 2);
    for (int level = 0; level < 3; level++) {
      device.client.publish(topic("qos/" + level), "m".getBytes(), level, false);
    }
    device.messages(3);
    equal(new TreeSet<>(device.got), new TreeSet<>(Set.of("m 0 false", "m 1 false", "m 2 false")));
    device.close();
  }

  static void retained() throws Exception {
    var device = new Device("retained").connect(true);
    device.client.publish(topic("kept"), "on".getBytes(), 1, true);
    device.client.subscribe(topic("kept"), 1);
    device.messages(1);
    equal(device.got.peek(), "on 1 true");
    device.close();
  }

  static void will() throws Exception {
    var watcher = new Device("watcher").connect(true);
    watcher.client.subscribe(topic("will"), 1);
    var doomed = new Device("doomed");
    var options = new MqttConnectOptions();
    options.setWill(topic("will"), "gone".getBytes(), 1, false);
    doomed.client.connect(options);
    doomed.client.disconnectForcibly(0, 0, false);
    watcher.messages(1);
    watcher.close();
  }

  static void session() throws Exception {
    var first = new Device("sleeper").connect(false);
    first.client.subscribe(topic("away"), 1);
    first.close();
    var other = new Device("other").connect(true);
    other.client.publish(topic("away"), "while away".getBytes(), 1, false);
    other.close();
    var again = new Device("sleeper").connect(false);
    again.messages(1);
    again.close();
  }

  static void survive(String what) throws Exception {
    var options = new MqttConnectOptions();
    options.setCleanSession(false);
    options.setAutomaticReconnect(true);
    options.setMaxReconnectDelay(500);
    var device = new Device(what);
    device.client.connect(options);
    device.client.subscribe(topic(what), 1);
    happen(what);
    until("its connecting again", device.client::isConnected);
    until("the message", () -> {
      try {
        var other = new Device(what + "-other").connect(true);
        other.client.publish(topic(what), "after".getBytes(), 1, false);
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
    var options = new MqttConnectOptions();
    options.setSocketFactory(tls().getSocketFactory());
    options.setUserName("alice");
    options.setPassword("secret".toCharArray());
    for (String url : new String[] {env("MQTT_TLS_URL").replace("mqtts:", "ssl:"), env("MQTT_WSS_URL")}) {
      var device = new Device("tls", url);
      device.client.connect(options);
      device.client.subscribe(topic("tls"), 1);
      device.client.publish(topic("tls"), "here".getBytes(), 1, false);
      device.messages(1);
      device.close();
    }
    options.setPassword("wrong".toCharArray());
    refused(() -> new Device("wrong", env("MQTT_TLS_URL").replace("mqtts:", "ssl:")).client.connect(options));
  }

  public static void main(String[] arguments) throws Exception {
    new Checks()
        .add("QoS", PahoV3::qos)
        .add("retained", PahoV3::retained)
        .add("will", PahoV3::will)
        .add("session", PahoV3::session)
        .add("kill", () -> survive("kill"))
        .add("restart", () -> survive("restart"))
        .add("TLS", PahoV3::secured)
        .main("Paho Java v3", MqttClient.class);
  }
}
