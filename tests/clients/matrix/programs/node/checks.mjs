// What each program in Node has: checks that print the lines of programs/python/checks.py.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

export const env = process.env;
export const name = env.MATRIX_RUN;
export const ca = [readFileSync(env.MOCKFORGE_TLS_CA)];
export const pause = (ms) => new Promise((done) => setTimeout(done, ms));

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

export function skip(why) {
  throw Object.assign(new Error(why), { skipped: true });
}

/** An original takes its time to start again. */
const LONGEST = Number(env.MATRIX_SECONDS ?? 30) * 1000;
/** Of one check. */
const WHOLE = env.MATRIX_SECONDS ? 2 * LONGEST : 45_000;

function limited(check) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${WHOLE} ms`)), WHOLE);
  });
  return Promise.race([check(), late]).finally(() => clearTimeout(timer));
}

/** `replayed`: whose way of connecting the checks are, if not the library's own. */
export async function run(client, checks, replayed) {
  const { version } = JSON.parse(readFileSync(`${import.meta.dirname}/node_modules/${client}/package.json`));
  say(replayed ? { client: replayed, version: `by ${client} ${version}` } : { client, version });
  for (const [check, act] of Object.entries(checks)) {
    try {
      await limited(act);
      say({ check, ok: true });
    } catch (error) {
      const failed = String(error?.message || error).slice(0, 200);
      say(error.skipped ? { check, skipped: failed } : { check, failed });
      if (env.MATRIX_TRACE) console.error(error);
    }
  }
  process.exit(0);
}

/** Let all connections be cut (kill), or the broker go and come back (restart). */
export async function happen(what) {
  const answer = await fetch(`${env.MATRIX_CONTROL}/${env.MATRIX_PROTOCOL}/${what}`);
  assert.equal(answer.status, 200);
}

export async function until(fact, what, ms = LONGEST) {
  const end = Date.now() + ms;
  for (let found; ; await pause(20)) {
    if ((found = await fact())) return found;
    assert.ok(Date.now() < end, `not in time: ${what}`);
  }
}
