package shop;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** A small service, which answers each payment with a receipt, against brokers of its own. */
class ReceiptsTest {
  @RegisterExtension static final MockForge mockforge = new MockForge("--seed", "1");

  private Connection connection;

  @BeforeEach
  void startTheService() throws Exception {
    ConnectionFactory factory = new ConnectionFactory();
    factory.setUri(mockforge.address("amqp", "url"));
    connection = factory.newConnection();
    Channel channel = connection.createChannel();
    channel.queueDeclare("payments", false, false, false, null);
    channel.queueDeclare("receipts", false, false, false, null);
    channel.basicConsume(
        "payments",
        false,
        (tag, delivery) -> {
          channel.basicPublish("", "receipts", null, delivery.getBody());
          channel.basicAck(delivery.getEnvelope().getDeliveryTag(), false);
        },
        tag -> {});
  }

  @AfterEach
  void stopTheService() {
    connection.abort();
  }

  @Test
  void aPaymentGetsAReceipt() throws Exception {
    mockforge.publish("{\"to\": {\"amqp\": \"payments\"}, \"value\": {\"id\": 7}}");
    String came =
        mockforge.expect(
            "{\"amqp\": {\"queue\": \"receipts\"}, \"match\": {\"value\": {\"id\": 7}}, \"count\": 1}");
    assertTrue(came.contains("\"exchange\""));
    mockforge.expect("{\"drained\": \"payments\"}");
  }

  @Test
  void whatIsMissingIsSaid() {
    AssertionError error =
        assertThrows(
            AssertionError.class,
            () -> mockforge.expect("{\"kafka\": \"receipts\", \"within\": \"100ms\"}"));
    assertTrue(error.getMessage().contains("expected  a message to kafka:receipts"));
  }
}
