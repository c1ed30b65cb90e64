import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.DeliverCallback;
import com.rabbitmq.client.MessageProperties;
import com.rabbitmq.client.RpcClient;
import com.rabbitmq.client.RpcClientParams;
import com.rabbitmq.client.RpcServer;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentLinkedQueue;

/** RabbitMQ's Java client, whose connections and topology recover by themselves. */
public class Rabbit extends Checks {
  static Connection open() throws Exception {
    var factory = new ConnectionFactory();
    factory.setUri(env("AMQP_URL"));
    factory.setNetworkRecoveryInterval(100);
    return factory.newConnection();
  }

  static String declare(Channel channel, String name, Map<String, Object> arguments)
      throws Exception {
    return channel.queueDeclare(RUN + "-java-" + name, true, false, false, arguments).getQueue();
  }

  static void send(Channel channel, String queue, String text) throws Exception {
    channel.basicPublish("", queue, MessageProperties.PERSISTENT_TEXT_PLAIN, text.getBytes());
  }

  static String get(Channel channel, String queue) throws Exception {
    String[] found = new String[1];
    until("a message in " + queue, () -> {
      var got = channel.basicGet(queue, true);
      if (got != null) found[0] = new String(got.getBody());
      return got != null;
    });
    return found[0];
  }

  static void publish() throws Exception {
    try (var connection = open(); var channel = connection.createChannel()) {
      channel.confirmSelect();
      var returned = new ConcurrentLinkedQueue<Integer>();
      channel.addReturnListener(one -> returned.add(one.getReplyCode()));
      String exchange = RUN + "-java-events", queue = declare(channel, "invoices", null);
      channel.exchangeDeclare(exchange, "topic");
      channel.queueBind(queue, exchange, "order.*");
      var headers = new AMQP.BasicProperties.Builder().headers(Map.of("n", 1)).build();
      for (int number = 0; number < 20; number++) {
        channel.basicPublish(exchange, "order.paid", true, headers, ("" + number).getBytes());
      }
      channel.basicPublish(exchange, "nobody", true, null, new byte[0]);
      channel.waitForConfirmsOrDie(10_000);
      equal(List.copyOf(returned), List.of(312));
      channel.basicQos(5);
      var got = new ConcurrentLinkedQueue<String>();
      var again = new ConcurrentLinkedQueue<String>();
      DeliverCallback take = (tag, one) -> {
        String body = new String(one.getBody());
        if (one.getEnvelope().isRedeliver()) again.add(body);
        if (body.equals("7") && !one.getEnvelope().isRedeliver()) {
          channel.basicNack(one.getEnvelope().getDeliveryTag(), false, true);
        } else {
          got.add(body);
          channel.basicAck(one.getEnvelope().getDeliveryTag(), false);
        }
      };
      channel.basicConsume(queue, take, tag -> {});
      until("all messages", () -> got.size() == 20);
      equal(List.copyOf(again), List.of("7"));
    }
  }

  static void deadLetters() throws Exception {
    try (var connection = open(); var channel = connection.createChannel()) {
      String dead = declare(channel, "dead", null);
      Map<String, Object> arguments =
          Map.of("x-dead-letter-exchange", "", "x-dead-letter-routing-key", dead, "x-message-ttl", 50);
      send(channel, declare(channel, "short", arguments), "expired");
      equal(get(channel, dead), "expired");
    }
  }

  static void limits() throws Exception {
    try (var connection = open(); var channel = connection.createChannel()) {
      String two = declare(channel, "two", Map.of("x-max-length", 2));
      for (int number = 0; number < 4; number++) send(channel, two, "" + number);
      equal(get(channel, two) + get(channel, two), "23");
      String ranked = declare(channel, "ranked", Map.of("x-max-priority", 5));
      for (int priority : new int[] {1, 5, 3}) {
        var properties = new AMQP.BasicProperties.Builder().priority(priority).build();
        channel.basicPublish("", ranked, properties, ("" + priority).getBytes());
      }
      equal(get(channel, ranked) + get(channel, ranked) + get(channel, ranked), "531");
    }
  }

  static void rpc() throws Exception {
    try (var connection = open(); var asking = connection.createChannel();
        var serving = connection.createChannel()) {
      String queue = declare(serving, "rpc", null);
      var server = new RpcServer(serving, queue) {
        @Override
        public byte[] handleCall(byte[] body, AMQP.BasicProperties properties) {
          return ("answer to " + new String(body)).getBytes();
        }
      };
      var thread = new Thread(() -> {
        try {
          server.mainloop();
        } catch (Exception over) {
          // the channel is closed
        }
      });
      thread.start();
      var client = new RpcClient(new RpcClientParams()
          .channel(asking).exchange("").routingKey(queue).replyTo("amq.rabbitmq.reply-to").timeout(9000));
      equal(client.stringCall("me"), "answer to me");
      server.terminateMainloop();
    }
  }

  static void transactions() throws Exception {
    try (var connection = open(); var channel = connection.createChannel()) {
      String queue = declare(channel, "tx", null);
      channel.txSelect();
      send(channel, queue, "no");
      channel.txRollback();
      send(channel, queue, "yes");
      channel.txCommit();
      equal(get(channel, queue), "yes");
    }
  }

  /** A consumer on a queue with a name of the server goes on, by topology recovery. */
  static void survive(String what) throws Exception {
    try (var connection = open(); var channel = connection.createChannel()) {
      String exchange = RUN + "-java-" + what;
      channel.exchangeDeclare(exchange, "fanout", true);
      String own = channel.queueDeclare().getQueue(), lasting = declare(channel, what, null);
      channel.queueBind(own, exchange, "");
      var got = new ConcurrentLinkedQueue<String>();
      channel.basicConsume(own, true, (tag, one) -> got.add(new String(one.getBody())), tag -> {});
      send(channel, lasting, "kept");
      channel.basicPublish(exchange, "", null, "before".getBytes());
      until("the first message", () -> got.contains("before"));
      happen(what);
      until("a message after it", () -> {
        try (var other = open(); var sending = other.createChannel()) {
          sending.basicPublish(exchange, "", null, "after".getBytes());
        } catch (Exception notYet) {
          return false;
        }
        Thread.sleep(100);
        return got.contains("after");
      });
      equal(get(channel, lasting), "kept");
    }
  }

  static void secured() throws Exception {
    var factory = new ConnectionFactory();
    factory.setUri(env("AMQP_TLS_URL"));
    factory.useSslProtocol(tls());
    factory.enableHostnameVerification();
    try (var connection = factory.newConnection(); var channel = connection.createChannel()) {
      String queue = declare(channel, "tls", null);
      send(channel, queue, "here");
      equal(get(channel, queue), "here");
    }
    factory.setPassword("wrong");
    refused(() -> factory.newConnection());
  }

  public static void main(String[] arguments) throws Exception {
    new Checks()
        .add("publish", Rabbit::publish)
        .add("dead letters", Rabbit::deadLetters)
        .add("limits", Rabbit::limits)
        .add("RPC", Rabbit::rpc)
        .add("transactions", Rabbit::transactions)
        .add("kill", () -> survive("kill"))
        .add("restart", () -> survive("restart"))
        .add("TLS", Rabbit::secured)
        .main("amqp-client", ConnectionFactory.class);
  }
}
