// KafkaJS: a producer to an unknown topic, and a group that rebalances when a member leaves.
import assert from "node:assert/strict";
import { CompressionTypes, Kafka, logLevel } from "kafkajs";

const kafka = new Kafka({
  clientId: "node-shop",
  brokers: [process.env.KAFKA_BOOTSTRAP_SERVERS],
  logLevel: logLevel.NOTHING,
});
const topic = "node.orders";
const wanted = 60;

const producer = kafka.producer({ allowAutoTopicCreation: true });
await producer.connect();
const sent = new Set();
for (let batch = 0; batch < 3; batch++) {
  const messages = Array.from({ length: wanted / 3 }, (_, i) => ({
    key: `order-${batch}-${i}`,
    value: JSON.stringify({ batch, i }),
    headers: { trace: `t-${batch}-${i}` },
  }));
  const compression = batch === 1 ? CompressionTypes.GZIP : CompressionTypes.None;
  const metadata = await producer.send({ topic, messages, compression });
  assert.ok(metadata.every((part) => part.errorCode === 0));
  messages.forEach((message) => sent.add(message.key));
}

const seen = new Map();
let rebalances = 0;
async function member(name) {
  const consumer = kafka.consumer({ groupId: "node-billing", sessionTimeout: 6000 });
  consumer.on(consumer.events.GROUP_JOIN, () => rebalances++);
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({
    eachMessage: async ({ message }) => {
      assert.equal(message.headers.trace.toString(), message.key.toString().replace("order", "t"));
      seen.set(message.key.toString(), name);
    },
  });
  return consumer;
}

async function until(fact, what) {
  const deadline = Date.now() + 60_000;
  while (!fact()) {
    assert.ok(Date.now() < deadline, `not in time: ${what}`);
    await new Promise((done) => setTimeout(done, 20));
  }
}

const first = await member("first");
const second = await member("second");
await until(() => seen.size === wanted, "every order consumed");
assert.deepEqual(new Set(seen.keys()), sent);
await until(() => rebalances >= 2, "both members joined");
const before = rebalances;
await second.disconnect();
await until(() => rebalances > before, "a rebalance after one member left");

await producer.send({ topic, messages: [{ key: "last", value: "1", headers: { trace: "last" } }] });
await until(() => seen.get("last") === "first", "the one that is left consumes all");

const admin = kafka.admin();
await admin.connect();
const { groups } = await admin.describeGroups(["node-billing"]);
assert.equal(groups[0].members.length, 1);
assert.equal((await admin.fetchTopicMetadata({ topics: [topic] })).topics[0].partitions.length, 3);
await admin.createTopics({ topics: [{ topic: "node.made", numPartitions: 2 }] });
assert.ok((await admin.listTopics()).includes("node.made"));
await admin.deleteTopics({ topics: ["node.made"] });
await admin.disconnect();
await first.disconnect();
await producer.disconnect();
console.log(`KafkaJS: ${seen.size} records, ${rebalances} joins`);
