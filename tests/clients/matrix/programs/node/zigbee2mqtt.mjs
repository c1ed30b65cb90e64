// Zigbee2MQTT's way of connecting, replayed with the library that it uses: MQTT 4 or 5, its state as
// retained will and birth, one filter for all that is to be set, discovery for Home Assistant.
// https://www.zigbee2mqtt.io/guide/usage/mqtt_topics_and_messages.html
import assert from "node:assert/strict";
import mqtt from "mqtt";
import { env, happen, name, run, until } from "./checks.mjs";

const base = `${name}-zigbee2mqtt`;
const status = `${name}-homeassistant/status`;
const online = JSON.stringify({ state: "online" });
const offline = JSON.stringify({ state: "offline" });

async function connect(id, more = {}) {
  const options = { clientId: `${name}-${id}`, reconnectPeriod: 100, ...more };
  const client = await mqtt.connectAsync(env.MQTT_URL, options);
  client.got = [];
  client.on("error", () => {});
  client.on("message", (topic, payload, { retain }) =>
    client.got.push(`${topic} ${payload}${retain ? " retained" : ""}`),
  );
  client.gets = (line) => until(() => client.got.includes(line), `${line} of ${client.got}`);
  return client;
}

async function bridge(id, version) {
  const will = { topic: `${base}/bridge/state`, payload: offline, qos: 1, retain: true };
  const client = await connect(id, { protocolVersion: version, keepalive: 60, will });
  client.on("connect", () => client.publish(will.topic, online, { qos: 1, retain: true }));
  await client.publishAsync(will.topic, online, { qos: 1, retain: true });
  await client.subscribeAsync([`${base}/+/set`, `${base}/bridge/request/#`, status]);
  return client;
}

const both = (check) => async () => {
  for (const version of [4, 5]) await check(version);
};

async function survive(what) {
  const zigbee = await bridge(`${what}-bridge`, 4);
  const home = await connect(`${what}-home`);
  await home.subscribeAsync([`${base}/bridge/state`, `${base}/lamp`]);
  await home.gets(`${base}/bridge/state ${online} retained`);
  home.got.length = 0;
  await happen(what);
  await until(() => home.got.some((line) => line.includes(online)), "its state after it is back");
  await home.publishAsync(`${base}/lamp/set`, what, { qos: 1 });
  await zigbee.gets(`${base}/lamp/set ${what}`);
  await zigbee.endAsync();
  await home.endAsync();
}

await run("mqtt", {
  "state of the bridge": both(async (version) => {
    const home = await connect("home");
    await home.subscribeAsync(`${base}/bridge/state`);
    const zigbee = await bridge("bridge", version);
    await until(() => home.got.some((line) => line.includes(online)), "online");
    zigbee.reconnecting = false;
    zigbee.options.reconnectPeriod = 0;
    zigbee.stream.destroy();
    await home.gets(`${base}/bridge/state ${offline}`);
    const late = await connect("late");
    await late.subscribeAsync(`${base}/bridge/state`);
    await late.gets(`${base}/bridge/state ${offline} retained`);
    await zigbee.endAsync(true);
    for (const each of [home, late]) await each.endAsync();
  }),
  "devices": both(async (version) => {
    const zigbee = await bridge("devices-bridge", version);
    const home = await connect("devices-home");
    await home.subscribeAsync([`${base}/lamp`, `${name}-homeassistant/+/+/+/config`]);
    const config = JSON.stringify({ state_topic: `${base}/lamp`, schema: "json" });
    const place = `${name}-homeassistant/light/0x00124b0024c1/light/config`;
    await zigbee.publishAsync(place, config, { qos: 1, retain: true });
    await home.gets(`${place} ${config}`);
    await home.publishAsync(status, "online");
    await zigbee.gets(`${status} online`);
    await home.publishAsync(`${base}/lamp/set`, '{"state":"ON"}');
    await zigbee.gets(`${base}/lamp/set {"state":"ON"}`);
    await zigbee.publishAsync(`${base}/lamp`, '{"state":"ON"}', { retain: true });
    await home.gets(`${base}/lamp {"state":"ON"}`);
    await zigbee.publishAsync(place, "", { qos: 1, retain: true });
    for (const each of [zigbee, home]) await each.endAsync();
  }),
  "requests": both(async (version) => {
    const zigbee = await bridge("requests-bridge", version);
    const home = await connect("requests-home");
    await home.subscribeAsync(`${base}/bridge/response/#`);
    await home.publishAsync(`${base}/bridge/request/permit_join`, '{"time":254}');
    await zigbee.gets(`${base}/bridge/request/permit_join {"time":254}`);
    await zigbee.publishAsync(`${base}/bridge/response/permit_join`, '{"status":"ok"}');
    await home.gets(`${base}/bridge/response/permit_join {"status":"ok"}`);
    for (const each of [zigbee, home]) await each.endAsync();
  }),
  kill: () => survive("kill"),
  restart: () => survive("restart"),
}, "Zigbee2MQTT");
