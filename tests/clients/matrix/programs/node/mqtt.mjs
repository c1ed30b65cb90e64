// MQTT.js: both versions of the protocol, all transports.
import assert from "node:assert/strict";
import { once } from "node:events";
import mqtt from "mqtt";
import { ca, env, happen, name, run, until } from "./checks.mjs";

async function connect(id, more = {}, url = env.MQTT_URL) {
  const options = { clientId: `${name}-${id}`, protocolVersion: 5, reconnectPeriod: 100, ...more };
  const client = await mqtt.connectAsync(url, options);
  client.got = [];
  client.on("message", (topic, payload, packet) =>
    client.got.push({ topic, text: payload.toString(), ...packet }),
  );
  client.on("error", () => {});
  client.texts = async (count) => {
    await until(() => client.got.length >= count, `${count} messages`);
    return client.got.map(({ text }) => text);
  };
  return client;
}

const both = (check) => async () => {
  for (const version of [4, 5]) await check(version);
};

async function exchange(url, more) {
  for (const protocolVersion of [4, 5]) {
    const client = await connect("transport", { protocolVersion, ...more }, url);
    const topic = `${name}/transport/${protocolVersion}`;
    await client.subscribeAsync(topic, { qos: 1 });
    await client.publishAsync(topic, "here".repeat(50_000), { qos: 1 });
    assert.deepEqual(await client.texts(1), ["here".repeat(50_000)]);
    await client.endAsync();
  }
}

const alice = { ca, username: "alice", password: "secret" };

async function survive(what) {
  const topic = `${name}/${what}`;
  const kept = { clean: false, properties: { sessionExpiryInterval: 300 } };
  const client = await connect(what, kept);
  const publisher = await connect(`${what}-publisher`, kept);
  await client.subscribeAsync(topic, { qos: 1 });
  await publisher.publishAsync(topic, "before", { qos: 1, retain: true });
  await client.texts(1);
  await happen(what);
  for (let number = 0; number < 10; number++) {
    await publisher.publishAsync(topic, `${number}`, { qos: 1 });
  }
  await until(() => new Set(client.got.map(({ text }) => text)).size === 11, "all messages");
  const late = await connect(`${what}-late`);
  await late.subscribeAsync(topic);
  assert.equal((await late.texts(1))[0], "before");
  for (const each of [client, publisher, late]) await each.endAsync(true);
}

await run("mqtt", {
  QoS: both(async (protocolVersion) => {
    const client = await connect("qos", { protocolVersion });
    const topic = `${name}/qos/${protocolVersion}`;
    await client.subscribeAsync(`${topic}/+`, { qos: 2 });
    for (const qos of [0, 1, 2]) await client.publishAsync(`${topic}/${qos}`, `${qos}`, { qos });
    await client.texts(3);
    const got = client.got.map(({ text, qos }) => [text, qos]).sort();
    assert.deepEqual(got, [["0", 0], ["1", 1], ["2", 2]]);
    await client.endAsync();
  }),
  retained: both(async (protocolVersion) => {
    const client = await connect("retained", { protocolVersion });
    const topic = `${name}/kept/${protocolVersion}`;
    await client.publishAsync(topic, "on", { qos: 1, retain: true });
    await client.subscribeAsync(topic);
    assert.deepEqual(await client.texts(1), ["on"]);
    assert.equal(client.got[0].retain, true);
    await client.publishAsync(topic, "", { qos: 1, retain: true });
    await client.endAsync();
  }),
  will: both(async (protocolVersion) => {
    const topic = `${name}/will/${protocolVersion}`;
    const watcher = await connect("watcher", { protocolVersion });
    await watcher.subscribeAsync(topic, { qos: 1 });
    const will = { topic, payload: "gone", qos: 1 };
    const doomed = await connect("doomed", { protocolVersion, reconnectPeriod: 0, will });
    doomed.stream.destroy();
    assert.deepEqual(await watcher.texts(1), ["gone"]);
    await watcher.endAsync();
  }),
  session: both(async (protocolVersion) => {
    const topic = `${name}/away/${protocolVersion}`;
    const properties = protocolVersion === 5 ? { sessionExpiryInterval: 300 } : undefined;
    const options = { protocolVersion, clean: false, properties };
    const first = await connect("sleeper", options);
    await first.subscribeAsync(topic, { qos: 1 });
    await first.endAsync();
    const other = await connect("other", { protocolVersion });
    await other.publishAsync(topic, "while away", { qos: 1 });
    const again = mqtt.connect(env.MQTT_URL, { clientId: `${name}-sleeper`, ...options });
    const [, payload] = await once(again, "message");
    assert.equal(payload.toString(), "while away");
    await again.endAsync();
    await other.endAsync();
  }),
  async properties() {
    const topic = `${name}/properties`;
    const client = await connect("properties");
    await client.subscribeAsync(topic, { qos: 1, properties: { subscriptionIdentifier: 7 } });
    const properties = {
      responseTopic: "answers",
      correlationData: Buffer.from("7"),
      userProperties: { a: ["1", "2"] },
      contentType: "text/plain",
      messageExpiryInterval: 60,
    };
    await client.publishAsync(topic, "here", { qos: 1, properties });
    await client.texts(1);
    const got = client.got[0].properties;
    assert.equal(got.responseTopic, "answers");
    assert.equal(got.subscriptionIdentifier, 7);
    assert.deepEqual([...got.userProperties.a], ["1", "2"]);
    await client.endAsync();
  },
  async shared() {
    const clients = [await connect("shared-1"), await connect("shared-2")];
    for (const client of clients) await client.subscribeAsync(`$share/g/${name}/work`, { qos: 1 });
    for (let n = 0; n < 20; n++) await clients[0].publishAsync(`${name}/work`, `${n}`, { qos: 1 });
    await until(() => clients[0].got.length + clients[1].got.length === 20, "each message once");
    assert.ok(clients.every((client) => client.got.length > 0));
    for (const client of clients) await client.endAsync();
  },
  kill: () => survive("kill"),
  restart: () => survive("restart"),
  async TLS() {
    await exchange(env.MQTT_TLS_URL, alice);
    const wrong = { ...alice, password: "wrong", reconnectPeriod: 0 };
    await assert.rejects(mqtt.connectAsync(env.MQTT_TLS_URL, wrong), /[Nn]ot authorized|[Bb]ad User/);
  },
  async WebSocket() {
    await exchange(env.MQTT_WS_URL, {});
    await exchange(env.MQTT_WSS_URL, alice);
  },
});
