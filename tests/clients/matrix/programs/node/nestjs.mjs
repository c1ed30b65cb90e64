// NestJS's RMQ transport: a service that answers `send` and hears `emit`, and its client.
import "reflect-metadata";
import assert from "node:assert/strict";
import { Module } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { ClientProxyFactory, MessagePattern, EventPattern, Transport } from "@nestjs/microservices";
import { firstValueFrom, timeout } from "rxjs";
import { ca, env, happen, name, run, until } from "./checks.mjs";

const heard = [];

class Service {
  sum(numbers) {
    return numbers.reduce((one, other) => one + other, 0);
  }
  hear(what) {
    heard.push(what);
  }
}
const described = (method) => Object.getOwnPropertyDescriptor(Service.prototype, method);
MessagePattern("sum")(Service.prototype, "sum", described("sum"));
EventPattern("order")(Service.prototype, "hear", described("hear"));
class App {}
Module({ controllers: [Service] })(App);

function options(queue, urls = [env.AMQP_URL], connectionOptions = {}) {
  const socketOptions = { reconnectTimeInSeconds: 1, connectionOptions };
  return {
    transport: Transport.RMQ,
    options: { urls, queue, queueOptions: { durable: true }, socketOptions },
  };
}

async function service(queue, ...more) {
  const app = await NestFactory.createMicroservice(App, { ...options(queue, ...more), logger: false });
  await app.listen();
  const client = ClientProxyFactory.create(options(queue, ...more));
  await client.connect();
  const ask = (numbers) => firstValueFrom(client.send("sum", numbers).pipe(timeout(5000)));
  const end = async () => {
    await client.close();
    await app.close();
  };
  return { client, ask, end };
}

async function survive(what) {
  const { ask, end } = await service(`${name}-nest-${what}`);
  assert.equal(await ask([1, 2]), 3);
  await happen(what);
  await until(() => ask([2, 3]).then((sum) => sum === 5, () => false), "an answer again");
  await end();
}

await run("@nestjs/microservices", {
  async RPC() {
    const { ask, end } = await service(`${name}-nest`);
    const sums = await Promise.all(Array.from({ length: 20 }, (_, n) => ask([n, n])));
    assert.deepEqual(sums, Array.from({ length: 20 }, (_, n) => n * 2));
    await end();
  },
  async events() {
    const { client, end } = await service(`${name}-nest-events`);
    for (let n = 0; n < 5; n++) await firstValueFrom(client.emit("order", { n }), { defaultValue: 0 });
    await until(() => heard.length === 5, "all events");
    await end();
  },
  kill: () => survive("kill"),
  restart: () => survive("restart"),
  async TLS() {
    const tls = { ca, servername: "localhost" };
    const { ask, end } = await service(`${name}-nest-tls`, [env.AMQP_TLS_URL], tls);
    assert.equal(await ask([4, 5]), 9);
    await end();
  },
});
