// rabbitmq-client, which connects and declares again by itself.
import assert from "node:assert/strict";
import { Connection } from "rabbitmq-client";
import { ca, env, happen, name, run, until } from "./checks.mjs";

const retry = { retryLow: 50, retryHigh: 300 };

function connect(url = env.AMQP_URL, more = {}) {
  const connection = new Connection({ url, ...retry, ...more });
  connection.on("error", () => {});
  return connection;
}

async function survive(what) {
  const queue = `${name}-${what}`;
  const connection = connect();
  const got = [];
  const consumer = connection.createConsumer(
    { queue, queueOptions: { queue, durable: true }, qos: { prefetchCount: 5 } },
    async (message) => got.push(message.body),
  );
  consumer.on("error", () => {});
  const publisher = connection.createPublisher({ confirm: true, maxAttempts: 20 });
  await publisher.send({ routingKey: queue, durable: true }, "before");
  await until(() => got.includes("before"), "the first message");
  await happen(what);
  for (let n = 0; n < 10; n++) await publisher.send({ routingKey: queue, durable: true }, `${n}`);
  await until(() => new Set(got).size === 11, "all messages");
  await consumer.close();
  await publisher.close();
  await connection.close();
}

await run("rabbitmq-client", {
  async publish() {
    const connection = connect();
    const exchange = `${name}-rc`;
    const queue = `${name}-rc-invoices`;
    const got = [];
    let again = 0;
    const consumer = connection.createConsumer(
      {
        queue,
        queueOptions: { queue, exclusive: true },
        exchanges: [{ exchange, type: "topic" }],
        queueBindings: [{ exchange, routingKey: "order.*" }],
        qos: { prefetchCount: 5 },
      },
      async (message) => {
        again += message.redelivered ? 1 : 0;
        if (message.body.n === 7 && !message.redelivered) throw new Error("once more");
        got.push(message.body.n);
      },
    );
    consumer.on("error", () => {});
    await new Promise((ready) => consumer.on("ready", ready));
    const publisher = connection.createPublisher({ confirm: true });
    for (let n = 0; n < 20; n++) await publisher.send({ exchange, routingKey: "order.paid" }, { n });
    await until(() => got.length === 20, "all messages");
    assert.equal(again, 1);
    await consumer.close();
    await publisher.close();
    await connection.close();
  },
  async "dead letters"() {
    const connection = connect();
    const queue = `${name}-rc-dead`;
    await connection.queueDeclare({ queue });
    const dead = { "x-dead-letter-exchange": "", "x-dead-letter-routing-key": queue };
    const short = `${name}-rc-short`;
    await connection.queueDeclare({ queue: short, arguments: { ...dead, "x-message-ttl": 50 } });
    const publisher = connection.createPublisher({ confirm: true });
    await publisher.send(short, "x");
    await publisher.close();
    const found = await until(() => connection.basicGet({ queue, noAck: true }), "the dead letter");
    assert.equal(found.headers["x-death"][0].reason, "expired");
    await connection.close();
  },
  async limits() {
    const connection = connect();
    const publisher = connection.createPublisher({ confirm: true });
    const taken = async (queue, count) => {
      const found = [];
      while (found.length < count) found.push((await connection.basicGet({ queue, noAck: true })).body);
      return found;
    };
    const two = `${name}-rc-two`;
    await connection.queueDeclare({ queue: two, arguments: { "x-max-length": 2 } });
    for (const n of [0, 1, 2, 3]) await publisher.send(two, n);
    assert.deepEqual(await taken(two, 2), [2, 3]);
    const ranked = `${name}-rc-ranked`;
    await connection.queueDeclare({ queue: ranked, arguments: { "x-max-priority": 5 } });
    for (const priority of [1, 5, 3]) await publisher.send({ routingKey: ranked, priority }, priority);
    assert.deepEqual(await taken(ranked, 3), [5, 3, 1]);
    await publisher.close();
    await connection.close();
  },
  async RPC() {
    const connection = connect();
    const queue = `${name}-rc-rpc`;
    const server = connection.createConsumer({ queue, queueOptions: { queue } }, async (m, reply) =>
      reply(m.body + 1),
    );
    await new Promise((ready) => server.on("ready", ready));
    const client = connection.createRPCClient({ confirm: true });
    assert.equal((await client.send(queue, 20)).body, 21);
    await client.close();
    await server.close();
    await connection.close();
  },
  async transactions() {
    const connection = connect();
    const channel = await connection.acquire();
    const queue = `${name}-rc-tx`;
    await channel.queueDeclare({ queue });
    await channel.txSelect();
    await channel.basicPublish(queue, "no");
    await channel.txRollback();
    await channel.basicPublish(queue, "yes");
    await channel.txCommit();
    assert.equal((await channel.basicGet({ queue, noAck: true })).body, "yes");
    await channel.close();
    await connection.close();
  },
  kill: () => survive("kill"),
  restart: () => survive("restart"),
  async TLS() {
    const tls = { ca, servername: "localhost" };
    const connection = connect(env.AMQP_TLS_URL, { tls });
    await connection.queueDeclare({ queue: `${name}-rc-tls` });
    const publisher = connection.createPublisher({ confirm: true });
    await publisher.send(`${name}-rc-tls`, "here");
    await publisher.close();
    await connection.close();
    const wrong = new Connection({ url: env.AMQP_TLS_URL.replace(":secret@", ":wrong@"), tls });
    const refused = new Promise((done) => wrong.once("error", done));
    assert.match((await refused).message, /ACCESS.REFUSED|Login was refused/);
    wrong.unsafeDestroy();
  },
});
