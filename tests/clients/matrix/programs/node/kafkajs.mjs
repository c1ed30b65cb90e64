// KafkaJS.
import assert from "node:assert/strict";
import { CompressionTypes, Kafka, logLevel } from "kafkajs";
import { ca, env, happen, name, run, until } from "./checks.mjs";

const settings = { clientId: name, logLevel: logLevel.NOTHING };
const plain = new Kafka({
  ...settings,
  brokers: [env.KAFKA_BOOTSTRAP_SERVERS],
  retry: { initialRetryTime: 50, retries: 20 },
});

async function send(topic, values, options = {}, more = {}) {
  const producer = plain.producer({ allowAutoTopicCreation: true, ...options });
  await producer.connect();
  const messages = values.map((value) => ({ key: value, value, headers: { trace: value } }));
  await producer.send({ topic, messages, ...more });
  await producer.disconnect();
}

async function member(topic, group, more = {}) {
  const consumer = plain.consumer({ groupId: `${name}-${group}`, sessionTimeout: 6000, ...more });
  const found = { values: new Set(), joined: 0, partitions: [], consumer };
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    found.joined += 1;
    found.partitions = payload.memberAssignment[topic] ?? [];
  });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({
    eachMessage: async ({ message }) => found.values.add(message.value.toString()),
  });
  return found;
}

async function made(topic, partitions) {
  const admin = plain.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic, numPartitions: partitions }] });
  await known(admin, topic, partitions);
  await admin.disconnect();
}

/** Apache Kafka answers before all of its parts know of a topic. */
async function known(admin, topic, partitions) {
  await until(async () => {
    try {
      return (await admin.fetchTopicOffsets(topic)).length === partitions;
    } catch (error) {
      if (!error.retriable) throw error;
    }
  }, "the topic's partitions");
}

const numbers = (from, to) => Array.from({ length: to - from }, (_, at) => `${from + at}`);

async function survive(what) {
  const topic = `${name}-${what}`;
  await made(topic, 2);
  const producer = plain.producer({ idempotent: true });
  await producer.connect();
  const reader = await member(topic, what);
  const one = (value) => producer.send({ topic, messages: [{ value }] });
  await one("0");
  await until(() => reader.values.has("0"), "the first record");
  await happen(what);
  for (const value of numbers(1, 20)) await one(value);
  await until(() => reader.values.size === 20, "all records");
  await reader.consumer.disconnect();
  await producer.disconnect();
}

await run("kafkajs", {
  async produce() {
    const topic = `${name}-produce`;
    await send(topic, numbers(0, 50));
    await send(topic, numbers(50, 100), {}, { compression: CompressionTypes.GZIP, acks: -1 });
    const reader = await member(topic, "produce");
    await until(() => reader.values.size === 100, "all records");
    await reader.consumer.disconnect();
  },
  async group() {
    const topic = `${name}-group`;
    await made(topic, 4);
    const first = await member(topic, "group");
    const second = await member(topic, "group");
    await until(() => first.partitions.length === 2 && second.partitions.length === 2, "two each");
    await second.consumer.disconnect();
    await until(() => first.partitions.length === 4, "all for who is left");
    await send(topic, numbers(0, 20));
    await until(() => first.values.size === 20, "all records");
    await first.consumer.disconnect();
    await send(topic, ["last"]);
    const again = await member(topic, "group");
    await until(() => again.values.has("last"), "the last record");
    assert.deepEqual([...again.values], ["last"]);
    await again.consumer.disconnect();
  },
  async transactions() {
    const topic = `${name}-tx`;
    await made(topic, 1);
    const options = { transactionalId: topic, maxInFlightRequests: 1, idempotent: true };
    const producer = plain.producer(options);
    await producer.connect();
    for (const value of numbers(0, 4)) {
      const transaction = await producer.transaction();
      await transaction.send({ topic, messages: [{ value }] });
      if (value % 2) {
        await transaction.abort();
      } else {
        const topics = [{ topic, partitions: [{ partition: 0, offset: value }] }];
        await transaction.sendOffsets({ consumerGroupId: topic, topics });
        await transaction.commit();
      }
    }
    await producer.disconnect();
    const reader = await member(topic, "tx-reader");
    await until(() => reader.values.has("2"), "the committed records");
    assert.deepEqual([...reader.values], ["0", "2"]);
    await reader.consumer.disconnect();
    const admin = plain.admin();
    await admin.connect();
    const [{ partitions }] = await admin.fetchOffsets({ groupId: topic, topics: [topic] });
    assert.equal(partitions[0].offset, "2");
    await admin.disconnect();
  },
  async admin() {
    const topic = `${name}-admin`;
    const admin = plain.admin();
    await admin.connect();
    await admin.createTopics({ topics: [{ topic, numPartitions: 2 }] });
    await known(admin, topic, 2);
    await admin.createPartitions({ topicPartitions: [{ topic, count: 5 }] });
    await known(admin, topic, 5);
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    assert.equal(topics[0].partitions.length, 5);
    const resources = [{ type: 2, name: topic, configEntries: [{ name: "retention.ms", value: "9000" }] }];
    await admin.alterConfigs({ validateOnly: false, resources });
    await until(async () => {
      const described = await admin.describeConfigs({ resources: [{ type: 2, name: topic }] });
      const entry = described.resources[0].configEntries.find((e) => e.configName === "retention.ms");
      return entry.configValue === "9000";
    }, "the configuration");
    await admin.listGroups();
    await admin.describeCluster();
    await admin.deleteTopics({ topics: [topic] });
    await admin.disconnect();
  },
  kill: () => survive("kill"),
  restart: () => survive("restart"),
  async TLS() {
    const secured = (mechanism, password) =>
      new Kafka({
        ...settings,
        brokers: [env.KAFKA_TLS_BOOTSTRAP_SERVERS],
        retry: { retries: 1 },
        ssl: { ca, servername: "localhost" },
        sasl: { mechanism, username: "alice", password },
      });
    for (const mechanism of ["plain", "scram-sha-256", "scram-sha-512"]) {
      const admin = secured(mechanism, "secret").admin();
      await admin.connect();
      await admin.listTopics();
      await admin.disconnect();
      await assert.rejects(secured(mechanism, "wrong").admin().connect(), /authentication|credentials|password/i);
    }
  },
});
