// rhea: AMQP 1.0 by SASL PLAIN: settlement, release, reject, drain, a dynamic source, refusals.
import assert from "node:assert/strict";
import { once } from "node:events";
import amqplib from "amqplib";
import rhea from "rhea";

const url = new URL(process.env.AMQP_URL);
const old = await amqplib.connect(process.env.AMQP_URL);
const channel = await old.createChannel();
for (const queue of ["node10.dead", "node10.plain"]) await channel.assertQueue(queue);
await channel.assertQueue("node10.work", {
  deadLetterExchange: "",
  deadLetterRoutingKey: "node10.dead",
});

const container = rhea.create_container({ id: "node10" });
const connection = container.connect({
  host: url.hostname,
  port: Number(url.port),
  username: decodeURIComponent(url.username),
  password: decodeURIComponent(url.password),
  reconnect: false,
});
await once(connection, "connection_open");

// Two hundred messages out, each accepted.
const sender = connection.open_sender("/queues/node10.work");
let accepted = 0;
await new Promise((resolve) => {
  let sent = 0;
  sender.on("sendable", () => {
    while (sender.sendable() && sent < 200) {
      sent += 1;
      sender.send({ message_id: sent, body: `m${sent}`, application_properties: { number: sent } });
    }
  });
  sender.on("accepted", () => {
    accepted += 1;
    if (accepted === 200) resolve();
  });
});

// In again: the seventh is released once, the ninth rejected.
const seen = [];
let released = false;
const receiver = connection.open_receiver({
  source: "/queues/node10.work",
  credit_window: 20,
  autoaccept: false,
});
await new Promise((resolve, reject) => {
  receiver.on("message", ({ message, delivery }) => {
    try {
      const number = message.application_properties.number;
      assert.equal(message.body, `m${number}`);
      assert.equal(message.message_annotations["x-routing-key"], "node10.work");
      if (number === 7 && !released) {
        released = true;
        delivery.release();
      } else if (number === 9) {
        delivery.reject({ condition: "app:no", description: "not this one" });
      } else {
        seen.push(number);
        delivery.accept();
      }
      if (seen.length === 199) resolve();
    } catch (error) {
      reject(error);
    }
  });
});
assert.ok(seen.includes(7) && !seen.includes(9));

const dead = connection.open_receiver("/queues/node10.dead");
const [{ message: buried }] = await once(dead, "message");
assert.equal(buried.application_properties.number, 9);
assert.equal(buried.message_annotations["x-opt-deaths"][0].reason, "rejected");

// Drained credit comes back at once.
const drained = connection.open_receiver({ source: "/queues/node10.plain", credit_window: 0 });
drained.add_credit(5);
drained.drain_credit();
await once(drained, "receiver_drained");

// Request and reply over a queue that the broker makes for the link.
const replies = connection.open_receiver({
  source: { dynamic: true, capabilities: ["temporary-queue"] },
});
await once(replies, "receiver_open");
const service = connection.open_receiver("/queues/node10.plain");
const anywhere = connection.open_sender({ target: { address: null } });
service.on("message", ({ message }) => {
  anywhere.send({ to: message.reply_to, correlation_id: message.correlation_id, body: "pong" });
});
await once(anywhere, "sendable");
anywhere.send({
  to: "/queues/node10.plain",
  reply_to: replies.source.address,
  correlation_id: "c-1",
  body: "ping",
});
const [{ message: reply }] = await once(replies, "message");
assert.deepEqual([reply.body, reply.correlation_id], ["pong", "c-1"]);

// A megabyte, in many frames, passes to a client of 0-9-1 as it is.
const big = Buffer.alloc(1_000_000, "z");
service.close();
await once(service, "receiver_close");
const plain = connection.open_sender("/queues/node10.plain");
await once(plain, "sendable");
plain.send({ body: rhea.message.data_section(big) });
await once(plain, "accepted");
const got = await channel.get("node10.plain", { noAck: true });
assert.ok(got.content.equals(big));

// Refusals, in RabbitMQ's words.
const none = connection.open_sender("/queues/node10.none");
await once(none, "sender_error");
assert.equal(none.error.condition, "amqp:not-found");
assert.equal(none.error.description, "no queue 'node10.none' in vhost '/'");

connection.close();
await once(connection, "connection_close");
await old.close();
console.log("rhea: accepted, released, rejected, drained, replied, refused");
