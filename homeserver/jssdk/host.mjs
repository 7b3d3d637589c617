// The line to the Go test that runs this script: it owns the server, kills it
// and starts it again.
//
// Each line on stdout is a JSON object {"say": ...}: "kill" asks for the server
// to be killed and started again; "storm" and "calm" begin and end a time in
// which it is killed again and again; "progress" is sent at each acknowledged
// request of a storm, and decides when; "did" tells what has been done. The
// test writes {"up": n} after the n-th start, and {"calm": true} when a storm
// is over.

import { EventEmitter } from "node:events";
import { createInterface } from "node:readline";

// DEADLINE is how long anything may take that is waited for, in milliseconds.
export const DEADLINE = 60_000;

class Host extends EventEmitter {
  starts = 0; // how often the server has been started

  constructor() {
    super();
    this.setMaxListeners(0);
    const lines = createInterface({ input: process.stdin });
    lines.on("line", (line) => {
      const message = JSON.parse(line);
      if (message.up !== undefined) {
        this.starts = message.up;
        this.emit("up");
      }
      if (message.calm) this.emit("calm");
    });
    lines.on("close", () => process.exit(1)); // the test has ended
  }

  say(what, more = {}) {
    process.stdout.write(JSON.stringify({ say: what, ...more }) + "\n");
  }

  did(text) {
    this.say("did", { text });
  }

  // kill has the server killed, and returns when it runs again.
  async kill() {
    const before = this.starts;
    this.say("kill");
    await until("the server runs again", () => this.starts > before, [this, "up"]);
  }

  // storm runs work while the server is killed again and again.
  async storm(work) {
    this.say("storm");
    const result = await work();
    const calm = new Promise((resolve) => this.once("calm", resolve));
    this.say("calm");
    await within("the storm's end", calm);
    return result;
  }

  // persist repeats an idempotent request until it is answered. A request that
  // a kill cut off is made again as soon as the server runs again.
  async persist(request) {
    for (;;) {
      const before = this.starts;
      try {
        const answer = await request();
        this.say("progress");
        return answer;
      } catch (err) {
        if (!isOutage(err)) throw err;
        await until("the server runs again", () => this.starts > before, [this, "up"]);
      }
    }
  }
}

export const host = new Host();

// isOutage says whether a request failed because the server was not there, and
// not because it refused.
export function isOutage(err) {
  return err.name === "ConnectionError" || err.httpStatus >= 500;
}

// within rejects if the promise takes longer than DEADLINE.
export function within(what, promise) {
  const late = new Error(`waited too long for: ${what}`); // here for its stack
  let timer;
  const deadline = new Promise((_, reject) => {
    timer = setTimeout(() => reject(late), DEADLINE);
  });
  return Promise.race([promise, deadline]).finally(() => clearTimeout(timer));
}

// until resolves with what check returns once that is true; check is called at
// once and at each event of the sources, [emitter, event name] each.
export function until(what, check, ...sources) {
  let stop = () => {};
  const met = new Promise((resolve, reject) => {
    const look = () => {
      try {
        const result = check();
        if (result) resolve(result);
      } catch (err) {
        reject(err);
      }
    };
    for (const [emitter, event] of sources) emitter.on(event, look);
    stop = () => sources.forEach(([emitter, event]) => emitter.off(event, look));
    look();
  });
  return within(what, met).finally(stop);
}
