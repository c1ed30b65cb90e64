import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { start } from "./mockforge.js";
import { watch } from "./sensors.js";

let mockforge, service;

beforeAll(async () => {
  mockforge = await start();
}, 30_000);
afterAll(() => mockforge.stop());

beforeEach(async () => {
  await mockforge.reset();
  service = await watch(mockforge.ready.mqtt.url);
});
afterEach(() => service.endAsync(true));

test("a reading that is too hot becomes an alarm", async () => {
  await mockforge.publish({ to: { mqtt: "sensors/roof/temperature", qos: 1 }, value: { celsius: 31 } });
  const [alarm] = await mockforge.expect({ mqtt: "alarms", match: { value: { celsius: 31 } }, count: 1 });
  expect(alarm.value.topic).toBe("sensors/roof/temperature");
});

test("any other does not", async () => {
  await mockforge.publish({ to: { mqtt: "sensors/roof/temperature", qos: 1 }, value: { celsius: 20 } });
  await mockforge.expect({ none: { mqtt: "alarms" }, within: "300ms" });
});

test("what is missing is said", async () => {
  await mockforge.publish({ to: { mqtt: "sensors/roof/temperature" }, value: { celsius: 20 } });
  await expect(mockforge.expect({ mqtt: "alarm", within: "100ms" })).rejects.toThrow(
    "expected  a message to mqtt:alarm within 100ms",
  );
});
