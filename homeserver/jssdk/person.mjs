// A person with a client of matrix-js-sdk.

// Node 20 lacks this one function that the SDK uses.
Promise.withResolvers ??= function () {
  let resolve, reject;
  const promise = new this((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
};

const sdk = await import("matrix-js-sdk");
import assert from "node:assert/strict";
import { host, isOutage, until } from "./host.mjs";

// The SDK logs much, some of it to stdout, which is the host's line.
const log = process.env.JSSDK_LOG ? console.error : () => {};
console.log = console.info = console.debug = console.trace = console.warn = console.error = log;

export const { ClientEvent, EventType, RoomEvent, RoomMemberEvent, RoomStateEvent, UserEvent, MatrixEventEvent, ThreadEvent, ThreadFilterType } = sdk;

// What the SDK asks for by itself it also tries again by itself, or gives up
// when it stops or is logged out; that it does not look at such failures is no
// fault of the server.
process.on("unhandledRejection", (err) => {
  if (!isOutage(err) && err.name !== "AbortError" && err.errcode !== "M_UNKNOWN_TOKEN") throw err;
});

export class Person {
  static PASSWORD = "correct horse battery staple"; // of everybody

  constructor(baseUrl, name) {
    this.baseUrl = baseUrl;
    this.name = name;
    this.seen = new Map(); // by room: the ids of all events that syncs brought
    this.acked = []; // the ids of own messages, in the order of their acknowledgement
    this.echoes = new Map(); // the ids of own events that came back by sync, by transaction id
  }

  get id() {
    return this.client.getUserId();
  }

  // register makes the account as the SDK does: the first request learns the
  // flows, the next passes the dummy stage.
  static async register(baseUrl, name) {
    const person = new Person(baseUrl, name);
    const guest = sdk.createClient({ baseUrl });
    let stages = 0;
    const auth = new sdk.InteractiveAuth({
      matrixClient: guest,
      doRequest: (dict) => {
        stages++;
        return guest.registerRequest({ username: name, password: Person.PASSWORD, ...(dict ? { auth: dict } : {}) });
      },
      stateUpdated: () => {},
      requestEmailToken: () => assert.fail("asked for an email address"),
    });
    const session = await auth.attemptAuth();
    assert.ok(stages >= 2, "registered without interactive authentication");
    assert.ok(session.access_token && session.device_id, "registered without a session");
    await person.start(session);
    return person;
  }

  // login makes a client of a new device; the options are startClient's.
  static async login(baseUrl, name, options = {}, password = Person.PASSWORD) {
    const person = new Person(baseUrl, name);
    const guest = sdk.createClient({ baseUrl });
    await person.start(await guest.loginWithPassword(name, password), options);
    return person;
  }

  async start(session, options = {}) {
    const client = sdk.createClient({
      baseUrl: this.baseUrl,
      userId: session.user_id,
      deviceId: session.device_id,
      accessToken: session.access_token,
      timelineSupport: true,
      fetchFn: (resource, options) => this.fetch(resource, options),
      // The SDK's own gives up after a few outages; these are many.
      scheduler: new sdk.MatrixScheduler((event, attempts, err) => (isOutage(err) ? 20 : -1)),
    });
    this.client = client;
    client.setMaxListeners(0);
    this.retry = () => client.retryImmediately();
    client.on(ClientEvent.Sync, (state) => {
      if (state === "RECONNECTING" || state === "ERROR") this.retry();
    });
    host.on("up", this.retry);
    await client.startClient({ initialSyncLimit: 20, threadSupport: true, ...options });
    await until(`${this.name}'s first sync`, () => client.isInitialSyncComplete(), [client, ClientEvent.Sync]);
  }

  stop() {
    host.off("up", this.retry);
    this.client.stopClient();
  }

  // fetch makes the SDK's requests, and looks at the answers of its sync loop:
  // no event may come twice.
  async fetch(resource, options) {
    const answer = await fetch(resource, options);
    if (answer.ok && new URL(resource).pathname.endsWith("/v3/sync")) {
      const text = await answer.text(); // the whole, or the connection broke
      this.check(JSON.parse(text));
      return new Response(text, { status: answer.status, headers: answer.headers });
    }
    return answer;
  }

  check(sync) {
    // Who comes back to a room is shown it anew.
    for (const roomId of Object.keys(sync.rooms?.leave ?? {})) this.seen.delete(roomId);
    for (const [roomId, room] of Object.entries(sync.rooms?.join ?? {})) {
      const seen = this.seen.get(roomId) ?? new Set();
      this.seen.set(roomId, seen);
      for (const event of room.timeline?.events ?? []) {
        if (seen.has(event.event_id)) {
          this.fault = new Error(`${this.name} got ${event.type} ${event.event_id} twice`);
        }
        seen.add(event.event_id);
        const txn = event.unsigned?.transaction_id;
        if (txn) this.echoes.set(txn, event.event_id);
      }
    }
  }

  // until waits for something that the sync loop brings.
  until(what, check, ...events) {
    return until(
      `${this.name}: ${what}`,
      () => {
        if (this.fault) throw this.fault;
        return check();
      },
      ...[ClientEvent.Sync, ...events].map((event) => [this.client, event]),
    );
  }

  // send sends an event under a transaction id of its own and returns its id,
  // however often the server dies meanwhile.
  async send(roomId, type, content) {
    const txn = `${this.name}.${this.acked.length}`;
    const id = await this.once(txn, () => this.client.sendEvent(roomId, type, content, txn));
    this.acked.push(id);
    return id;
  }

  redact(roomId, eventId, txn, opts) {
    return this.once(txn, () => this.client.redactEvent(roomId, eventId, txn, opts));
  }

  // once repeats a request with a transaction id until it is answered, and
  // returns the event's id.
  async once(txn, request) {
    try {
      const { event_id } = await host.persist(request);
      return event_id;
    } catch (err) {
      // The answer was lost, and then the sync loop brought the event before
      // the SDK could ask again: it knows that the event was sent, and stumbles.
      if (/not a local echo/.test(err.message) && this.echoes.has(txn)) return this.echoes.get(txn);
      throw err;
    }
  }

  say(roomId, body) {
    return this.send(roomId, EventType.RoomMessage, { msgtype: "m.text", body });
  }

  // event waits until an event that was sent by another is in the room.
  event(roomId, eventId) {
    return this.until(
      `event ${eventId} comes`,
      () => this.client.getRoom(roomId)?.findEventById(eventId),
      RoomEvent.Timeline,
      ThreadEvent.Update,
    );
  }

  // history pages back to the room's beginning and returns all of it in order.
  async history(roomId) {
    const room = this.client.getRoom(roomId);
    const timeline = room.getLiveTimeline();
    while (timeline.getPaginationToken("b") !== null) {
      await host.persist(() => this.client.scrollback(room, 25));
    }
    return timeline.getEvents();
  }
}
