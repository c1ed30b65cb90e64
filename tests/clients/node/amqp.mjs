// amqplib: topic exchange, manual acknowledgement, confirms, returns and a 406.
import assert from "node:assert/strict";
import { once } from "node:events";
import amqplib from "amqplib";

const connection = await amqplib.connect(process.env.AMQP_URL);
connection.on("error", () => {});
const channel = await connection.createConfirmChannel();
await channel.assertExchange("node.events", "topic", { durable: true });
const { queue } = await channel.assertQueue("node.invoices", { durable: true });
await channel.bindQueue(queue, "node.events", "order.*");

for (let i = 0; i < 20; i++) {
  channel.publish("node.events", i % 2 ? "order.paid" : "order.new", Buffer.from(`${i}`), {
    contentType: "text/plain",
    persistent: true,
    headers: { number: i },
  });
}
await channel.waitForConfirms();

const returned = once(channel, "return");
channel.publish("node.events", "nobody", Buffer.from("lost"), { mandatory: true });
const [lost] = await returned;
assert.equal(lost.fields.replyCode, 312);
assert.equal(lost.content.toString(), "lost");

await channel.prefetch(5);
const bodies = [];
let redelivered = 0;
await new Promise((resolve, reject) => {
  channel.consume(queue, (message) => {
    try {
      assert.equal(message.properties.contentType, "text/plain");
      assert.equal(message.properties.headers.number, Number(message.content.toString()));
      if (message.content.toString() === "7" && !message.fields.redelivered) {
        channel.nack(message);
        return;
      }
      redelivered += message.fields.redelivered ? 1 : 0;
      bodies.push(Number(message.content.toString()));
      channel.ack(message);
      if (bodies.length === 20) resolve();
    } catch (error) {
      reject(error);
    }
  });
});
assert.deepEqual(bodies.sort((a, b) => a - b), Array.from({ length: 20 }, (_, i) => i));
assert.equal(redelivered, 1);

const wrong = await connection.createChannel();
wrong.on("error", () => {});
await assert.rejects(
  wrong.assertQueue(queue, { durable: false }),
  /406 .*inequivalent arg 'durable' for queue 'node.invoices' in vhost '\/'/,
);

const left = await channel.checkQueue(queue);
assert.equal(left.messageCount, 0);
await channel.close();
await connection.close();
console.log(`amqplib: ${bodies.length} messages, ${redelivered} of them again`);
