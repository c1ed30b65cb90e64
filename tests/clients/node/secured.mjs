// KafkaJS with SASL_SSL, MQTT.js over wss, amqplib over amqps on a virtual host: the user alice of
// tests/clients/secured.py; and each of them with a wrong password.
import assert from "node:assert/strict";
import { createHash, createHmac, pbkdf2Sync } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import amqplib from "amqplib";
import { Kafka, logLevel } from "kafkajs";
import mqtt from "mqtt";

const ca = [readFileSync(process.env.MOCKFORGE_TLS_CA)];

function kafka(password) {
  return new Kafka({
    clientId: "node-secured",
    brokers: [process.env.KAFKA_TLS_BOOTSTRAP_SERVERS],
    logLevel: logLevel.NOTHING,
    retry: { retries: 1 },
    ssl: { ca, servername: "localhost" },
    sasl: { mechanism: "plain", username: "alice", password },
  });
}

const producer = kafka("secret").producer();
await producer.connect();
await producer.send({ topic: "orders.node", messages: [{ value: "here" }] });
await assert.rejects(
  producer.send({ topic: "elsewhere", messages: [{ value: "x" }] }),
  /Not authorized to access topics: \[Topic authorization failed\]/,
);
await producer.disconnect();
const consumer = kafka("secret").consumer({ groupId: "billing" });
await consumer.connect();
await consumer.subscribe({ topic: "orders.node", fromBeginning: true });
const got = await new Promise((resolve) =>
  consumer.run({ eachMessage: async ({ message }) => resolve(message.value.toString()) }),
);
assert.equal(got, "here");
await consumer.disconnect();
await assert.rejects(kafka("wrong").admin().connect(), /Invalid username or password/);
console.log("KafkaJS: SASL PLAIN over TLS");

const options = { ca, username: "alice", password: "secret", reconnectPeriod: 0 };
for (const protocolVersion of [4, 5]) {
  const client = await mqtt.connectAsync(process.env.MQTT_WSS_URL, { ...options, protocolVersion });
  await client.subscribeAsync("home/#", { qos: 1 });
  const arrived = once(client, "message");
  await client.publishAsync("home/node", "here", { qos: 1 });
  assert.equal((await arrived)[1].toString(), "here");
  await client.endAsync();
  await assert.rejects(
    mqtt.connectAsync(process.env.MQTT_WSS_URL, { ...options, protocolVersion, password: "x" }),
    /Not authorized/,
  );
}
console.log("MQTT.js: user and password over wss");

// Enhanced authentication by SCRAM-SHA-256 (RFC 7677), which is the application's to work out.
function scramConnect(password) {
  const method = "SCRAM-SHA-256";
  const bare = "n=alice,r=fyko+d2lbbFgONRv9qkxdawL";
  const hash = (key, text) => createHmac("sha256", key).update(text).digest();
  const client = mqtt.connect(process.env.MQTT_WSS_URL, {
    ca,
    protocolVersion: 5,
    reconnectPeriod: 0,
    properties: { authenticationMethod: method, authenticationData: Buffer.from(`n,,${bare}`) },
  });
  client.handleAuth = (packet, callback) => {
    const challenge = packet.properties.authenticationData.toString();
    const [, nonce, salt, count] = challenge.match(/^r=(.*),s=(.*),i=(.*)$/);
    const salted = pbkdf2Sync(password, Buffer.from(salt, "base64"), Number(count), 32, "sha256");
    const key = hash(salted, "Client Key");
    const bound = `c=biws,r=${nonce}`;
    const stored = createHash("sha256").update(key).digest();
    const signature = hash(stored, `${bare},${challenge},${bound}`);
    const proof = Buffer.from(key.map((byte, at) => byte ^ signature[at])).toString("base64");
    callback(null, {
      cmd: "auth",
      reasonCode: 0x18,
      properties: {
        authenticationMethod: method,
        authenticationData: Buffer.from(`${bound},p=${proof}`),
      },
    });
  };
  return client;
}
const proved = scramConnect("secret");
const [connack] = await once(proved, "connect");
assert.match(connack.properties.authenticationData.toString(), /^v=/);
await proved.endAsync();
const [refusal] = await once(scramConnect("wrong"), "error");
assert.equal(refusal.code, 0x87);
console.log("MQTT.js: SCRAM-SHA-256");

const url = process.env.AMQP_TLS_URL;
const connection = await amqplib.connect(url, { ca, servername: "localhost" });
connection.on("error", () => {});
const channel = await connection.createChannel();
channel.on("error", () => {});
await channel.assertQueue("orders.node");
channel.sendToQueue("orders.node", Buffer.from("here"));
assert.equal((await channel.get("orders.node", { noAck: true })).content.toString(), "here");
await assert.rejects(
  channel.assertQueue("other"),
  /403 .*access to queue 'other' in vhost 'shop' refused for user 'alice'/,
);
await connection.close();
await assert.rejects(
  amqplib.connect(url.replace(":secret@", ":wrong@"), { ca, servername: "localhost" }),
  /Login was refused using authentication mechanism PLAIN/,
);
console.log("amqplib: a user on a virtual host over amqps");
