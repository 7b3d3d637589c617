// Two people talk through clients of matrix-js-sdk, while the server is killed
// again and again. The URL of the server is the only argument.

import assert from "node:assert/strict";
import { host } from "./host.mjs";
import {
  ClientEvent,
  EventType,
  MatrixEventEvent,
  Person,
  RoomEvent,
  RoomMemberEvent,
  RoomStateEvent,
  ThreadEvent,
} from "./person.mjs";

const url = process.argv[2];
const MESSAGES = Number(process.env.JSSDK_MESSAGES ?? 60); // of each person, in the storm

const texts = (events) => events.map((e) => e.getContent().body);

async function meet(alice, bob) {
  await alice.client.setDisplayName("Alice A.");
  await bob.client.setDisplayName("Bob 🐈");
  const { room_id: roomId } = await alice.client.createRoom({
    preset: "private_chat",
    name: "Kitchen",
    topic: "Tea",
  });
  await alice.until("the new room comes", () => alice.client.getRoom(roomId), ClientEvent.Room);
  await alice.client.invite(roomId, bob.id);
  const invited = await bob.until("the invite comes", () => bob.client.getRoom(roomId), ClientEvent.Room);
  assert.equal(invited.getMyMembership(), "invite");
  assert.equal(invited.name, "Kitchen");
  await host.kill();
  await bob.client.joinRoom(roomId);
  await bob.until("the own join comes", () => bob.client.getRoom(roomId).getMyMembership() === "join", RoomEvent.MyMembership);
  await alice.until(
    "bob joins",
    () => alice.client.getRoom(roomId).getMember(bob.id)?.membership === "join",
    RoomMemberEvent.Membership,
  );
  assert.equal(alice.client.getRoom(roomId).getMember(bob.id).name, "Bob 🐈");
  host.did("two people met in a room");
  return roomId;
}

async function talk(alice, bob, roomId) {
  const first = await alice.say(roomId, "Is the kettle on?");
  await bob.event(roomId, first);
  const second = await bob.say(roomId, "It is.");
  await alice.event(roomId, second);
  await host.kill();

  // Edit.
  const edit = await alice.send(roomId, EventType.RoomMessage, {
    "msgtype": "m.text",
    "body": "* Is the kettle on yet?",
    "m.new_content": { msgtype: "m.text", body: "Is the kettle on yet?" },
    "m.relates_to": { rel_type: "m.replace", event_id: first },
  });
  await bob.event(roomId, edit);
  await bob.until(
    "the edit applies",
    () => bob.client.getRoom(roomId).findEventById(first).getContent().body === "Is the kettle on yet?",
    MatrixEventEvent.Replaced,
  );

  // React, and take the reaction back.
  const reactions = () =>
    bob.client
      .getRoom(roomId)
      .relations.getChildEventsForEvent(second, "m.annotation", "m.reaction")
      ?.getSortedAnnotationsByKey()
      ?.filter(([, events]) => events.size > 0)
      .map(([key, events]) => `${key}${events.size}`) ?? [];
  const react = (key) =>
    alice.send(roomId, EventType.Reaction, { "m.relates_to": { rel_type: "m.annotation", event_id: second, key } });
  await react("👍");
  const cup = await react("☕");
  await bob.event(roomId, cup);
  await bob.until("two reactions show", () => reactions().length === 2);
  const withdrawal = await alice.redact(roomId, cup, "alice.withdraw");
  await bob.event(roomId, withdrawal);
  await bob.until("one reaction is left", () => reactions().join() === "👍1", MatrixEventEvent.BeforeRedaction);

  // Redact a message.
  const slip = await bob.say(roomId, "My password is swordfish");
  await alice.event(roomId, slip);
  await bob.redact(roomId, slip, "bob.slip", { reason: "oops" });
  await alice.until("the message is redacted", () => alice.client.getRoom(roomId).findEventById(slip).isRedacted(), RoomEvent.Redaction);
  const read = await alice.client.fetchRoomEvent(roomId, slip);
  assert.deepEqual(read.content, {});
  assert.equal(read.unsigned.redacted_because.content.reason, "oops");
  host.did("talked, edited, reacted, redacted");
  return { first, second, edit, slip, cup };
}

async function thread(alice, bob, roomId, rootId) {
  const ids = [];
  for (const [who, body] of [[alice, "In a thread"], [bob, "also"], [alice, "and more"]]) {
    const id = await who.send(roomId, EventType.RoomMessage, {
      "msgtype": "m.text",
      body,
      "m.relates_to": {
        "rel_type": "m.thread",
        "event_id": rootId,
        "is_falling_back": true,
        "m.in_reply_to": { event_id: ids.at(-1) ?? rootId },
      },
    });
    ids.push(id);
  }
  await alice.until(
    "the thread is complete",
    () => alice.client.getRoom(roomId).getThread(rootId)?.length === 3,
    ThreadEvent.Update,
    ThreadEvent.New,
    ThreadEvent.NewReply,
    RoomEvent.Timeline,
  );
  await host.kill();
  const { originalEvent, events } = await alice.client.relations(roomId, rootId, "m.thread", null, { dir: "f" });
  assert.equal(originalEvent.getId(), rootId);
  assert.deepEqual(events.map((e) => e.getId()).sort(), [...ids].sort());
  const root = await bob.client.fetchRoomEvent(roomId, rootId);
  assert.equal(root.unsigned["m.relations"]["m.thread"].count, 3);
  assert.equal(root.unsigned["m.relations"]["m.thread"].latest_event.event_id, ids.at(-1));
  // Pages of one, latest first.
  const paged = [];
  let from;
  do {
    const page = await alice.client.fetchRelations(roomId, rootId, "m.thread", null, { dir: "b", limit: 1, from });
    paged.push(...page.chunk.map((e) => e.event_id));
    from = page.next_batch;
  } while (from);
  assert.deepEqual(paged, [...ids].reverse());
  host.did("a thread was read back");
  return ids.at(-1);
}

async function signals(alice, bob, roomId, rootId, lastReply) {
  await bob.client.sendTyping(roomId, true, 20_000);
  await alice.until("bob types", () => alice.client.getRoom(roomId).getMember(bob.id).typing, RoomMemberEvent.Typing);
  await bob.client.sendTyping(roomId, false, 0);
  await alice.until("bob stops typing", () => !alice.client.getRoom(roomId).getMember(bob.id).typing, RoomMemberEvent.Typing);

  const last = await alice.say(roomId, "Read this");
  await bob.event(roomId, last);
  const bobs = bob.client.getRoom(roomId);
  const unread = () => bobs.getRoomUnreadNotificationCount("total");
  await bob.until("it counts as unread", () => unread() > 0, RoomEvent.UnreadNotifications);
  await bob.client.sendReadReceipt(bobs.findEventById(last));
  await alice.until("bob has read it", () => alice.client.getRoom(roomId).getEventReadUpTo(bob.id, true) === last, RoomEvent.Receipt);
  await bob.until("nothing is unread", () => unread() === 0, RoomEvent.UnreadNotifications, RoomEvent.Receipt);

  // The thread counts apart, and has a receipt of its own.
  const unreadInThread = () => bobs.getThreadUnreadNotificationCount(rootId, "total");
  await bob.until("the thread counts as unread", () => unreadInThread() > 0, RoomEvent.UnreadNotifications);
  const reply = await bob.until(
    "the thread's last reply comes",
    () => bobs.getThread(rootId)?.events.find((e) => e.getId() === lastReply),
    ThreadEvent.Update,
    ThreadEvent.NewReply,
  );
  await bob.client.sendReadReceipt(reply);
  await bob.until("nothing is unread in the thread", () => unreadInThread() === 0, RoomEvent.UnreadNotifications, RoomEvent.Receipt);
  await bob.client.setRoomReadMarkers(roomId, last);
  await bob.until(
    "the read marker comes",
    () => bob.client.getRoom(roomId).getAccountData("m.fully_read")?.getContent().event_id === last,
    RoomEvent.AccountData,
  );

  await alice.client.setAccountData("hearth.test", { tea: { strong: true } });
  assert.deepEqual(alice.client.getAccountData("hearth.test").getContent(), { tea: { strong: true } });
  await alice.client.setRoomAccountData(roomId, "hearth.room", { seat: 3 });
  await alice.until("room account data comes", () => alice.client.getRoom(roomId).getAccountData("hearth.room"), RoomEvent.AccountData);

  const message = new Promise((resolve) => bob.client.once(ClientEvent.ToDeviceEvent, resolve));
  await alice.client.sendToDevice("hearth.knock", new Map([[bob.id, new Map([[bob.client.getDeviceId(), { knock: 1 }]])]]));
  const got = await bob.until("a to-device message comes", () => received(message));
  assert.equal(got.getType(), "hearth.knock");
  assert.deepEqual(got.getContent(), { knock: 1 });
  assert.equal(got.getSender(), alice.id);

  await alice.client.setDisplayName("Alice B.");
  await bob.until("alice's new name comes", () => bob.client.getRoom(roomId).getMember(alice.id).name === "Alice B.", RoomMemberEvent.Name);
  await host.kill();
  assert.deepEqual(await alice.client.getAccountDataFromServer("hearth.test"), { tea: { strong: true } });
  assert.equal((await bob.client.getProfileInfo(alice.id)).displayname, "Alice B.");
  assert.equal((await alice.client.whoami()).user_id, alice.id);
  host.did("typing, receipts, markers, account data, to-device messages, names");
}

// received returns a promise's value once it has one.
function received(promise) {
  if (!promise.watched) {
    promise.watched = true;
    promise.then((value) => (promise.value = value));
  }
  return promise.value;
}

// storm has both talk at once while the server is killed again and again.
async function storm(alice, bob, roomId) {
  const chat = async (who) => {
    const ids = [];
    for (let i = 0; i < MESSAGES; i++) {
      ids.push(await who.say(roomId, `storm ${who.name} ${i}`));
      if (i % 10 === 5) await host.persist(() => who.client.setAccountDataRaw("hearth.storm", { at: i }));
      if (i % 10 === 7) await who.redact(roomId, ids[i - 2], `${who.name}.storm.${i}`);
    }
    return ids;
  };
  const [fromAlice, fromBob] = await host.storm(() => Promise.all([chat(alice), chat(bob)]));
  for (const who of [alice, bob]) {
    await who.event(roomId, fromAlice.at(-1));
    await who.event(roomId, fromBob.at(-1));
  }
  host.did(`${fromAlice.length + fromBob.length} messages went through the storm`);
  return { fromAlice, fromBob };
}

// remembers checks that a client knows everything, once and in order.
async function remembers(who, roomId, alice, bob, said, storms) {
  const history = await who.history(roomId);
  const ids = history.map((e) => e.getId());
  assert.equal(new Set(ids).size, ids.length, `${who.name} has an event twice`);
  assert.equal(history[0].getType(), EventType.RoomCreate, "the history does not go back to the beginning");
  for (const [person, sent] of [[alice, storms.fromAlice], [bob, storms.fromBob]]) {
    const mine = history.filter((e) => e.getSender() === person.id && sent.includes(e.getId()));
    assert.deepEqual(mine.map((e) => e.getId()), sent, `${person.name}'s messages at ${who.name}`);
    mine.forEach((e, i) => {
      const redacted = i % 10 === 5 && i + 2 < MESSAGES;
      assert.equal(e.isRedacted(), redacted, `message ${i}`);
      if (!redacted) assert.equal(e.getContent().body, `storm ${person.name} ${i}`);
    });
  }
  // No retry became a second message.
  const bodies = texts(history).filter((body) => body?.startsWith("storm "));
  assert.equal(new Set(bodies).size, bodies.length, "a retried message is there twice");
  const find = (id) => history.find((e) => e.getId() === id);
  assert.equal(find(said.first).getContent().body, "Is the kettle on yet?");
  assert.ok(find(said.slip).isRedacted());
  for (const event of history) assert.equal(event.status, null, `${event.getId()} is still being sent`);
  if (who.fault) throw who.fault;
}

const alice = await Person.register(url, "alice");
const bob = await Person.register(url, "bob");
host.did("two people registered");
const roomId = await meet(alice, bob);
const said = await talk(alice, bob, roomId);
const lastReply = await thread(alice, bob, roomId, said.first);
await signals(alice, bob, roomId, said.first, lastReply);
const storms = await storm(alice, bob, roomId);

const anew = await Person.login(url, "bob");
for (const who of [alice, bob, anew]) await remembers(who, roomId, alice, bob, said, storms);
assert.equal(anew.client.getRoom(roomId).getMember(alice.id).name, "Alice B.");
assert.deepEqual(anew.client.getAccountData("hearth.storm").getContent(), bob.client.getAccountData("hearth.storm").getContent());
assert.equal(anew.client.getRoom(roomId).currentState.getStateEvents("m.room.topic", "").getContent().topic, "Tea");
host.did("everything is there, once, in order");

await anew.client.logout(true);
await assert.rejects(anew.client.whoami(), { errcode: "M_UNKNOWN_TOKEN" });
for (const who of [alice, bob, anew]) who.stop();
host.did("done");
process.exit(0); // the SDK leaves timers behind
