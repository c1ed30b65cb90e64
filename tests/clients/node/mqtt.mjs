// MQTT.js: 3.1.1 and 5.0, each QoS both ways, retained messages and a will.
import assert from "node:assert/strict";
import { once } from "node:events";
import mqtt from "mqtt";

const url = process.env.MQTT_URL;

async function check(protocolVersion) {
  const connect = (options) => mqtt.connectAsync(url, { protocolVersion, ...options });
  const root = `node/v${protocolVersion}`;
  const subscriber = await connect({ clientId: `node-sub-${protocolVersion}` });
  const publisher = await connect({ clientId: `node-pub-${protocolVersion}` });
  const got = [];
  subscriber.on("message", (topic, payload, packet) =>
    got.push({ topic, text: payload.toString(), qos: packet.qos, retain: packet.retain }),
  );
  const until = async (count) => {
    while (got.length < count) await once(subscriber, "message");
  };

  const granted = await subscriber.subscribeAsync(`${root}/+/temp`, { qos: 2 });
  assert.equal(granted[0].qos, 2);
  for (const qos of [0, 1, 2]) {
    await publisher.publishAsync(`${root}/room${qos}/temp`, `q${qos}`, { qos });
  }
  await until(3);
  assert.deepEqual(
    got.map(({ text, qos }) => [text, qos]).sort(),
    [["q0", 0], ["q1", 1], ["q2", 2]],
  );

  await publisher.publishAsync(`${root}/state`, "on", { qos: 1, retain: true });
  await subscriber.subscribeAsync(`${root}/state`, { qos: 1 });
  await until(4);
  assert.deepEqual(got[3], { topic: `${root}/state`, text: "on", qos: 1, retain: true });
  await publisher.publishAsync(`${root}/state`, "", { qos: 1, retain: true });
  await until(5);

  await subscriber.subscribeAsync(`${root}/will`, { qos: 1 });
  const doomed = await connect({
    clientId: `node-doomed-${protocolVersion}`,
    reconnectPeriod: 0,
    will: { topic: `${root}/will`, payload: "gone", qos: 1, retain: false },
  });
  doomed.stream.destroy();
  await until(6);
  assert.equal(got[5].text, "gone");

  await Promise.all([subscriber.endAsync(), publisher.endAsync()]);
  console.log(`MQTT.js, protocol ${protocolVersion}: ${got.length} messages`);
}

await check(4);
await check(5);
