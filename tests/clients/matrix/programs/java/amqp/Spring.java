import java.net.URI;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import org.springframework.amqp.core.Message;
import org.springframework.amqp.core.MessageListener;
import org.springframework.amqp.core.QueueBuilder;
import org.springframework.amqp.rabbit.connection.CachingConnectionFactory;
import org.springframework.amqp.rabbit.connection.CorrelationData;
import org.springframework.amqp.rabbit.core.RabbitAdmin;
import org.springframework.amqp.rabbit.core.RabbitTemplate;
import org.springframework.amqp.rabbit.listener.ListenerContainerConsumerFailedEvent;
import org.springframework.amqp.rabbit.listener.SimpleMessageListenerContainer;
import org.springframework.amqp.rabbit.listener.adapter.MessageListenerAdapter;

/** Spring AMQP: templates, containers of listeners, and an admin that declares. */
public class Spring extends Checks {
  static CachingConnectionFactory factory() {
    var made = new CachingConnectionFactory(URI.create(env("AMQP_URL")));
    made.setPublisherConfirmType(CachingConnectionFactory.ConfirmType.SIMPLE);
    return made;
  }

  static SimpleMessageListenerContainer container(
      CachingConnectionFactory factory, String queue, MessageListener listener) {
    var made = new SimpleMessageListenerContainer(factory);
    made.setQueueNames(queue);
    made.setRecoveryInterval(100);
    made.setMessageListener(listener);
    made.start();
    return made;
  }

  static String queue(CachingConnectionFactory factory, String name) {
    String full = RUN + "-spring-" + name;
    var made = QueueBuilder.durable(full).deadLetterExchange("").deadLetterRoutingKey(full + "-dead");
    var admin = new RabbitAdmin(factory);
    admin.declareQueue(made.build());
    admin.declareQueue(QueueBuilder.durable(full + "-dead").build());
    return full;
  }

  static void publish() throws Exception {
    var factory = factory();
    String queue = queue(factory, "publish");
    var got = new ConcurrentLinkedQueue<String>();
    var running = container(factory, queue, one -> got.add(new String(one.getBody())));
    var template = new RabbitTemplate(factory);
    for (int number = 0; number < 20; number++) {
      String text = "" + number;
      template.invoke(sending -> {
        sending.convertAndSend("", queue, text);
        return sending.waitForConfirms(10_000);
      });
    }
    until("all messages", () -> got.size() == 20);
    running.stop();
    factory.destroy();
  }

  static void deadLetters() throws Exception {
    var factory = factory();
    String queue = queue(factory, "dead");
    var running = new SimpleMessageListenerContainer(factory);
    running.setQueueNames(queue);
    running.setDefaultRequeueRejected(false);
    running.setErrorHandler(error -> {
      throw new org.springframework.amqp.AmqpRejectAndDontRequeueException("no");
    });
    running.setMessageListener((Message one) -> {
      throw new IllegalStateException("not this one");
    });
    running.start();
    var template = new RabbitTemplate(factory);
    template.convertAndSend("", queue, "x");
    Message dead = template.receive(queue + "-dead", 10_000);
    equal(dead.getMessageProperties().getXDeathHeader().get(0).get("reason"), "rejected");
    running.stop();
    factory.destroy();
  }

  static void limits() throws Exception {
    var factory = factory();
    String name = RUN + "-spring-limits";
    var admin = new RabbitAdmin(factory);
    admin.declareQueue(QueueBuilder.durable(name + "-old").build());
    admin.declareQueue(QueueBuilder.durable(name).maxLength(3).maxPriority(5).build());
    admin.declareQueue(
        QueueBuilder.durable(name + "-short").ttl(50).deadLetterExchange("")
            .deadLetterRoutingKey(name + "-old").build());
    var template = new RabbitTemplate(factory);
    for (int priority : new int[] {2, 1, 5, 3}) {
      template.convertAndSend("", name, "" + priority, one -> {
        one.getMessageProperties().setPriority(priority);
        return one;
      });
    }
    String kept = "";
    for (int number = 0; number < 3; number++) kept += template.receiveAndConvert(name, 10_000);
    // What is at the head is dropped, and that is the highest one.
    equal(kept, "321");
    template.convertAndSend("", name + "-short", "old");
    Message old = template.receive(name + "-old", 10_000);
    equal(old.getMessageProperties().getXDeathHeader().get(0).get("reason"), "expired");
    factory.destroy();
  }

  /** A returned message comes with its correlation; a container hears that its queue is gone. */
  static void returns() throws Exception {
    var factory = new CachingConnectionFactory(URI.create(env("AMQP_URL")));
    factory.setPublisherConfirmType(CachingConnectionFactory.ConfirmType.CORRELATED);
    factory.setPublisherReturns(true);
    var template = new RabbitTemplate(factory);
    template.setMandatory(true);
    var correlation = new CorrelationData("lost");
    template.convertAndSend("amq.topic", RUN + "-nobody", (Object) "x", correlation);
    equal(correlation.getFuture().get(10, TimeUnit.SECONDS).isAck(), true);
    equal(correlation.getReturned().getReplyCode(), 312);
    String queue = queue(factory, "cancel");
    var events = new ConcurrentLinkedQueue<String>();
    var running = new SimpleMessageListenerContainer(factory);
    running.setQueueNames(queue);
    running.setMissingQueuesFatal(false);
    running.setRecoveryInterval(100);
    running.setMessageListener((Message one) -> events.add(new String(one.getBody())));
    running.setApplicationEventPublisher(event -> {
      if (event instanceof ListenerContainerConsumerFailedEvent) events.add("cancelled");
    });
    running.start();
    until("a consumer", () -> new RabbitAdmin(factory).getQueueInfo(queue).getConsumerCount() == 1);
    new RabbitAdmin(factory).deleteQueue(queue);
    until("its end", () -> events.contains("cancelled"));
    queue(factory, "cancel");
    template.convertAndSend("", queue, "again");
    until("it consumes again", () -> events.contains("again"));
    running.stop();
    factory.destroy();
  }

  public static class Service {
    public String answer(String question) {
      return "answer to " + question;
    }
  }

  static void rpc() throws Exception {
    var factory = factory();
    String queue = queue(factory, "rpc");
    var running = container(factory, queue, new MessageListenerAdapter(new Service(), "answer"));
    var template = new RabbitTemplate(factory);
    template.setReplyTimeout(10_000);
    equal(template.convertSendAndReceive("", queue, "me"), "answer to me");
    running.stop();
    factory.destroy();
  }

  static void survive(String what) throws Exception {
    var factory = factory();
    String queue = queue(factory, what);
    var got = new ConcurrentLinkedQueue<String>();
    var running = container(factory, queue, one -> got.add(new String(one.getBody())));
    var template = new RabbitTemplate(factory);
    template.convertAndSend("", queue, "before");
    until("the first message", () -> got.contains("before"));
    happen(what);
    until("a message after it", () -> {
      try {
        template.convertAndSend("", queue, "after");
      } catch (Exception notYet) {
        return false;
      }
      Thread.sleep(50);
      return got.contains("after");
    });
    running.stop();
    factory.destroy();
  }

  static void secured() throws Exception {
    var rabbit = new com.rabbitmq.client.ConnectionFactory();
    rabbit.setUri(env("AMQP_TLS_URL"));
    rabbit.useSslProtocol(tls());
    var factory = new CachingConnectionFactory(rabbit);
    String queue = queue(factory, "tls");
    var template = new RabbitTemplate(factory);
    template.convertAndSend("", queue, "here");
    equal(template.receiveAndConvert(queue, 10_000), "here");
    factory.destroy();
  }

  public static void main(String[] arguments) throws Exception {
    new Checks()
        .add("publish", Spring::publish)
        .add("dead letters", Spring::deadLetters)
        .add("limits", Spring::limits)
        .add("returns", Spring::returns)
        .add("RPC", Spring::rpc)
        .add("kill", () -> survive("kill"))
        .add("restart", () -> survive("restart"))
        .add("TLS", Spring::secured)
        .main("Spring AMQP", RabbitTemplate.class);
  }
}
