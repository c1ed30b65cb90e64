// Starts mockforge-tui, reads its ready line, and asks it over HTTP: no library is needed.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

const COMMAND = (process.env.MOCKFORGE_COMMAND ?? "mockforge-tui").split(" ");

/** Brokers in a process of their own; `ready` has their addresses. Call `stop` at the end. */
export async function start(...words) {
  const [program, ...first] = COMMAND;
  const child = spawn(program, [...first, "--headless", "--random-ports", ...words], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ready = await new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).once("line", (line) => resolve(JSON.parse(line)));
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`mockforge-tui ended with status ${code}`)));
  });
  return new MockForge(child, ready);
}

class MockForge {
  constructor(child, ready) {
    this.child = child;
    this.ready = ready;
  }

  /** Back to the state right after loading: before each test. */
  reset() {
    return this.post("/reset");
  }

  /** Publish as if a client had: `{to: {kafka: "orders"}, value: {...}}`. */
  publish(message) {
    return this.post("/messages", message);
  }

  /** Wait for messages or a state, in the words of scenarios; throws with all there is to say. */
  async expect(expectation) {
    return (await this.post("/messages/wait", expectation)).messages;
  }

  async post(path, body) {
    const response = await fetch(this.ready.admin.url + path, {
      method: "POST",
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const answer = await response.json();
    if (!response.ok) throw new Error(answer.error);
    return answer;
  }

  stop() {
    const ended = new Promise((resolve) => this.child.once("exit", resolve));
    this.child.kill("SIGTERM");
    return ended;
  }
}
