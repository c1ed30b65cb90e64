// The service under test: a reading that is too hot becomes an alarm.
import mqtt from "mqtt";

export async function watch(url) {
  const client = await mqtt.connectAsync(url, { clientId: "watcher" });
  client.on("message", (topic, payload) => {
    const { celsius } = JSON.parse(payload);
    if (celsius > 26) client.publish("alarms", JSON.stringify({ topic, celsius }), { qos: 1 });
  });
  await client.subscribeAsync("sensors/+/temperature", { qos: 1 });
  return client;
}
