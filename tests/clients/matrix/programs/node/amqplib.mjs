// amqplib, whose users write the reconnecting themselves.
import assert from "node:assert/strict";
import { once } from "node:events";
import amqplib from "amqplib";
import { ca, env, happen, name, pause, run, until } from "./checks.mjs";

async function connect(url = env.AMQP_URL, options = {}) {
  const connection = await amqplib.connect(url, options);
  connection.on("error", () => {});
  return connection;
}

/** The next so many messages of a queue, acknowledged. */
async function take(channel, queue, count, options = { noAck: true }) {
  const found = [];
  const { consumerTag } = await channel.consume(queue, (message) => message && found.push(message), options);
  await until(() => found.length >= count, `${count} messages`);
  await channel.cancel(consumerTag);
  return found;
}

async function survive(what) {
  const queue = `${name}-${what}`;
  const connection = await connect();
  const closed = once(connection, "close");
  const channel = await connection.createConfirmChannel();
  channel.on("error", () => {});
  await channel.assertQueue(queue, { durable: true });
  for (const body of ["0", "1"]) channel.sendToQueue(queue, Buffer.from(body), { persistent: true });
  await channel.waitForConfirms();
  await channel.get(queue);
  await happen(what);
  await closed;
  let again;
  while (!again) again = await connect().catch(() => pause(100));
  const found = await take(await again.createChannel(), queue, 2);
  assert.deepEqual(found.map(({ content }) => content.toString()), ["0", "1"]);
  assert.equal(found[0].fields.redelivered, true);
  await again.close();
}

await run("amqplib", {
  async publish() {
    const connection = await connect();
    const channel = await connection.createConfirmChannel();
    await channel.assertExchange(`${name}-events`, "topic");
    const { queue } = await channel.assertQueue(`${name}-invoices`);
    await channel.bindQueue(queue, `${name}-events`, "order.*");
    const headers = { n: 1, deep: { list: [1, "x"] } };
    for (let n = 0; n < 20; n++) {
      channel.publish(`${name}-events`, "order.paid", Buffer.from(`${n}`), { headers });
    }
    await channel.waitForConfirms();
    const returned = once(channel, "return");
    channel.publish(`${name}-events`, "nobody", Buffer.from("lost"), { mandatory: true });
    assert.equal((await returned)[0].fields.replyCode, 312);
    await channel.prefetch(5);
    const got = [];
    let again = 0;
    await channel.consume(queue, (message) => {
      again += message.fields.redelivered ? 1 : 0;
      if (message.content.toString() === "7" && !message.fields.redelivered) {
        channel.nack(message);
      } else {
        got.push(message);
        channel.ack(message);
      }
    });
    await until(() => got.length === 20, "all messages");
    assert.deepEqual(got[0].properties.headers, headers);
    assert.equal(again, 1);
    await connection.close();
  },
  async "dead letters"() {
    const connection = await connect();
    const channel = await connection.createChannel();
    const { queue } = await channel.assertQueue(`${name}-dead`);
    const dead = { deadLetterExchange: "", deadLetterRoutingKey: queue };
    await channel.assertQueue(`${name}-short`, { ...dead, messageTtl: 50 });
    await channel.assertQueue(`${name}-long`, dead);
    channel.sendToQueue(`${name}-short`, Buffer.from("x"));
    const [expired] = await take(channel, queue, 1);
    assert.equal(expired.properties.headers["x-death"][0].reason, "expired");
    channel.sendToQueue(`${name}-long`, Buffer.from("x"));
    const refused = await until(() => channel.get(`${name}-long`), "the message");
    channel.nack(refused, false, false);
    const [rejected] = await take(channel, queue, 1);
    assert.equal(rejected.properties.headers["x-death"][0].reason, "rejected");
    await connection.close();
  },
  async limits() {
    const connection = await connect();
    const channel = await connection.createConfirmChannel();
    await channel.assertQueue(`${name}-two`, { maxLength: 2 });
    for (const n of [0, 1, 2, 3]) channel.sendToQueue(`${name}-two`, Buffer.from(`${n}`));
    await channel.waitForConfirms();
    const kept = await take(channel, `${name}-two`, 2);
    assert.deepEqual(kept.map(({ content }) => content.toString()), ["2", "3"]);
    await channel.assertQueue(`${name}-ranked`, { maxPriority: 5 });
    for (const priority of [1, 5, 3]) {
      channel.sendToQueue(`${name}-ranked`, Buffer.from(`${priority}`), { priority });
    }
    await channel.waitForConfirms();
    const ranked = await take(channel, `${name}-ranked`, 3);
    assert.deepEqual(ranked.map(({ content }) => content.toString()), ["5", "3", "1"]);
    await connection.close();
  },
  async RPC() {
    const connection = await connect();
    const server = await connection.createChannel();
    const client = await connection.createChannel();
    const { queue } = await server.assertQueue(`${name}-rpc`);
    await server.consume(
      queue,
      ({ content, properties }) =>
        server.sendToQueue(properties.replyTo, Buffer.from(`${Number(content) + 1}`)),
      { noAck: true },
    );
    const answers = [];
    await client.consume("amq.rabbitmq.reply-to", (m) => answers.push(m.content.toString()), {
      noAck: true,
    });
    client.sendToQueue(queue, Buffer.from("20"), { replyTo: "amq.rabbitmq.reply-to" });
    await until(() => answers.length, "the answer");
    assert.deepEqual(answers, ["21"]);
    await connection.close();
  },
  kill: () => survive("kill"),
  restart: () => survive("restart"),
  async TLS() {
    const options = { ca, servername: "localhost" };
    const connection = await connect(env.AMQP_TLS_URL, options);
    const channel = await connection.createChannel();
    await channel.assertQueue(`${name}-tls`);
    channel.sendToQueue(`${name}-tls`, Buffer.from("here"));
    assert.equal((await take(channel, `${name}-tls`, 1))[0].content.toString(), "here");
    await connection.close();
    const wrong = env.AMQP_TLS_URL.replace(":secret@", ":wrong@");
    await assert.rejects(amqplib.connect(wrong, options), /ACCESS.REFUSED|Login was refused/);
  },
});
