// A club of four people uses what a room of two does not need: threads, lazy
// loading, knocking, power levels, spaces, room upgrades, push rules, tags,
// presence, search, the directories, devices and passwords. The server is
// killed between the parts. The URL of the server is the only argument.

import assert from "node:assert/strict";
import { host } from "./host.mjs";
import { ClientEvent, EventType, Person, RoomEvent, RoomMemberEvent, RoomStateEvent, ThreadEvent, ThreadFilterType, UserEvent } from "./person.mjs";

const url = process.argv[2];

// member waits until who sees a member of a room in a membership.
function member(who, roomId, user, membership) {
  return who.until(
    `${user} is in membership ${membership}`,
    () => who.client.getRoom(roomId)?.getMember(user)?.membership === membership,
    RoomMemberEvent.Membership,
    RoomStateEvent.Events,
  );
}

// own waits until who sees its own membership of a room.
function own(who, roomId, membership) {
  return who.until(`the own ${membership} comes`, () => who.client.getRoom(roomId)?.getMyMembership() === membership, ClientEvent.Room, RoomEvent.MyMembership);
}

// found found the club's room, which is knocked at, and lets the others in.
async function found(carol, dora, emil, finn) {
  const { room_id: roomId } = await carol.client.createRoom({
    name: "Chess club",
    topic: "Tuesdays at eight",
    visibility: "public",
    room_alias_name: "chess",
    initial_state: [{ type: EventType.RoomJoinRules, state_key: "", content: { join_rule: "knock" } }],
  });
  await own(carol, roomId, "join");

  // Somebody who is not in it reads the summary, and finds it in the directory.
  const summary = await dora.client.getRoomSummary("#chess:rig.test");
  assert.equal(summary.room_id, roomId);
  assert.equal(summary.join_rule, "knock");
  assert.equal(summary.num_joined_members, 1);
  const listed = await dora.client.publicRooms({ filter: { generic_search_term: "CHESS" } });
  assert.deepEqual(listed.chunk.map((r) => [r.room_id, r.canonical_alias, r.join_rule]), [[roomId, "#chess:rig.test", "knock"]]);

  await assert.rejects(dora.client.joinRoom(roomId), { errcode: "M_FORBIDDEN" });
  await dora.client.knockRoom("#chess:rig.test", { reason: "I play too" });
  await own(dora, roomId, "knock");
  assert.equal(dora.client.getRoom(roomId).name, "Chess club");
  await member(carol, roomId, dora.id, "knock");
  assert.equal(carol.client.getRoom(roomId).getMember(dora.id).events.member.getContent().reason, "I play too");
  await host.kill();
  await carol.client.invite(roomId, dora.id);
  await own(dora, roomId, "invite");
  await dora.client.joinRoom(roomId);
  await own(dora, roomId, "join");

  // Emil takes his knock back; Finn is turned away, and knocks again.
  await emil.client.knockRoom(roomId);
  await member(carol, roomId, emil.id, "knock");
  await emil.client.leave(roomId);
  await member(carol, roomId, emil.id, "leave");
  await finn.client.knockRoom(roomId);
  await member(carol, roomId, finn.id, "knock");
  await carol.client.kick(roomId, finn.id, "the room is full");
  await own(finn, roomId, "leave");
  await finn.client.knockRoom(roomId);
  for (const person of [emil, finn]) {
    await carol.client.invite(roomId, person.id);
    await own(person, roomId, "invite");
    await person.client.joinRoom(roomId);
    await own(person, roomId, "join");
  }
  host.did("knocked, was let in, turned away, and found the room in the directory");
  return roomId;
}

// powers lets the founder share power, and the room refuse those without.
async function powers(carol, dora, emil, roomId) {
  await assert.rejects(dora.client.setRoomTopic(roomId, "Go"), { errcode: "M_FORBIDDEN" });
  await assert.rejects(dora.client.kick(roomId, emil.id), { errcode: "M_FORBIDDEN" });
  await carol.client.setPowerLevel(roomId, dora.id, 50);
  await dora.until("dora's power comes", () => dora.client.getRoom(roomId).getMember(dora.id).powerLevel === 50, RoomMemberEvent.PowerLevel);
  await dora.client.setRoomTopic(roomId, "Wednesdays at eight");
  await assert.rejects(dora.client.setPowerLevel(roomId, emil.id, 100), { errcode: "M_FORBIDDEN" });
  await dora.client.ban(roomId, emil.id, "cheated");
  await own(emil, roomId, "ban");
  await assert.rejects(emil.client.joinRoom(roomId), { httpStatus: 403 });
  await dora.client.unban(roomId, emil.id);
  await dora.client.invite(roomId, emil.id);
  await own(emil, roomId, "invite");
  await emil.client.joinRoom(roomId);
  await own(emil, roomId, "join");
  host.did("power was shared and refused");
}

// threads lists the threads of a room, whole and those with the own part.
async function threads(carol, dora, emil, roomId) {
  const roots = [];
  for (const opening of ["e4", "d4", "c4"]) {
    const root = await carol.say(roomId, `Opening with ${opening}`);
    roots.push(root);
    const reply = (who, body) =>
      who.send(roomId, EventType.RoomMessage, { msgtype: "m.text", body, "m.relates_to": { rel_type: "m.thread", event_id: root } });
    await reply(dora, `${opening}?`);
    if (opening !== "d4") await reply(emil, `${opening}!`);
  }
  await host.kill();
  const list = async (who, filter) => {
    const ids = [];
    let from = null;
    do {
      const page = await who.client.createThreadListMessagesRequest(roomId, from, 2, "b", filter);
      ids.push(...page.chunk.map((e) => e.event_id).reverse()); // the SDK turns each page around
      from = page.end;
    } while (from);
    return ids;
  };
  assert.deepEqual(await list(dora, null), [roots[2], roots[1], roots[0]]);
  assert.deepEqual(await list(emil, ThreadFilterType.My), [roots[2], roots[0]]);
  // A new answer brings the oldest thread to the top.
  await dora.send(roomId, EventType.RoomMessage, { msgtype: "m.text", body: "still e4?", "m.relates_to": { rel_type: "m.thread", event_id: roots[0] } });
  assert.deepEqual(await list(dora, null), [roots[0], roots[2], roots[1]]);
  const room = dora.client.getRoom(roomId);
  await room.createThreadsTimelineSets();
  await room.fetchRoomThreads();
  await dora.until("the SDK knows all threads", () => room.getThreads().length === 3, ThreadEvent.New, ThreadEvent.Update);
  assert.equal(room.getThread(roots[0]).length, 3);
  host.did("threads were listed");
}

// highlights gives mentions, keywords and rules their counts.
async function highlights(carol, dora, roomId) {
  const doras = dora.client.getRoom(roomId);
  const count = (kind) => doras.getRoomUnreadNotificationCount(kind);
  const counted = (what, total, highlight) =>
    dora.until(what, () => count("total") === total && count("highlight") === highlight, RoomEvent.UnreadNotifications, RoomEvent.Receipt);
  const read = async (id) => {
    await dora.event(roomId, id);
    await dora.client.sendReadReceipt(doras.findEventById(id));
    await counted("all is read", 0, 0);
  };
  await read(await carol.say(roomId, "Who is there?"));
  await carol.send(roomId, EventType.RoomMessage, { msgtype: "m.text", body: "Dora?", "m.mentions": { user_ids: [dora.id] } });
  await counted("a mention highlights", 1, 1);
  await carol.say(roomId, "The rook is gone");
  await counted("a plain message counts", 2, 1);
  await dora.client.addPushRule("global", "content", "rook", { pattern: "rook", actions: ["notify", { set_tweak: "highlight" }] });
  await dora.until("the rule comes", () => dora.client.pushRules?.global.content.some((r) => r.rule_id === "rook"), ClientEvent.AccountData);
  await carol.say(roomId, "Somebody found a rook!");
  await dora.until("a keyword highlights", () => count("highlight") >= 2, RoomEvent.UnreadNotifications);
  const { notifications } = await dora.client.http.authedRequest("GET", "/notifications", { only: "highlight", limit: "5" });
  assert.equal(notifications[0].event.content.body, "Somebody found a rook!");
  await dora.client.setPushRuleEnabled("global", "content", "rook", false);
  const last = await carol.send(roomId, EventType.RoomMessage, { msgtype: "m.text", body: "Everybody: the rook!", "m.mentions": { room: true } });
  await dora.until("a mention of the room highlights", () => count("highlight") >= 2, RoomEvent.UnreadNotifications);
  await host.kill();
  await read(last);
  host.did("mentions, keywords and rules counted");
}

// tags and presence are seen by those whom they concern.
async function tagsAndPresence(carol, dora, roomId) {
  await dora.client.setRoomTag(roomId, "m.favourite", { order: 0.25 });
  await dora.until("the tag comes", () => dora.client.getRoom(roomId).tags["m.favourite"]?.order === 0.25, RoomEvent.Tags);
  await dora.client.deleteRoomTag(roomId, "m.favourite");
  await dora.until("the tag goes", () => !dora.client.getRoom(roomId).tags["m.favourite"], RoomEvent.Tags);

  await dora.client.setPresence({ presence: "unavailable", status_msg: "thinking" });
  await carol.until(
    "dora's presence comes",
    () => carol.client.getUser(dora.id)?.presenceStatusMsg === "thinking",
    UserEvent.Presence,
    UserEvent.LastPresenceTs,
    ClientEvent.Event,
  );
  host.did("tags and presence came");
}

// space puts rooms into a space and walks through it.
async function space(carol, dora, roomId) {
  const { room_id: spaceId } = await carol.client.createRoom({ name: "The club", creation_content: { type: "m.space" }, preset: "public_chat" });
  const { room_id: hall } = await carol.client.createRoom({
    name: "Hall",
    initial_state: [{ type: EventType.RoomJoinRules, state_key: "", content: { join_rule: "restricted", allow: [{ type: "m.room_membership", room_id: spaceId }] } }],
  });
  const child = (id, content) => carol.client.sendStateEvent(spaceId, EventType.SpaceChild, { via: ["rig.test"], ...content }, id);
  await child(roomId, { order: "b", suggested: true });
  await child(hall, { order: "a" });
  await dora.client.joinRoom(spaceId);
  await host.kill();
  const { rooms } = await dora.client.getRoomHierarchy(spaceId, 10, 3);
  assert.deepEqual(rooms.map((r) => r.room_id), [spaceId, hall, roomId]);
  assert.deepEqual(rooms[0].children_state.map((e) => e.state_key).sort(), [hall, roomId].sort());
  const suggested = await dora.client.getRoomHierarchy(spaceId, 10, 3, true);
  assert.deepEqual(suggested.rooms.map((r) => r.room_id), [spaceId, roomId]);
  await dora.client.joinRoom(hall); // by being in the space
  await own(dora, hall, "join");
  host.did("a space was walked through, and let its members in");
}

// lazy loading brings only the members who speak.
async function lazily(carol, dora, roomId, many) {
  for (let i = 0; i < 25; i++) await dora.say(roomId, `Anybody? ${i}`); // more than a first sync brings
  const lazy = await Person.login(url, "carol", { lazyLoadMembers: true });
  const room = lazy.client.getRoom(roomId);
  const known = () => room.currentState.getMembers().map((m) => m.userId);
  assert.ok(known().includes(dora.id), "the sender is not known");
  assert.ok(!known().includes(many[0].id), "a silent member came by itself");
  assert.equal(room.getJoinedMemberCount(), 4 + many.length);
  await many[0].say(roomId, "I am here.");
  await lazy.until("who speaks becomes known", () => known().includes(many[0].id), RoomMemberEvent.Membership, RoomStateEvent.Members);
  await room.loadMembersIfNeeded();
  for (const person of many) assert.ok(known().includes(person.id), `${person.id} is not known`);
  host.did("members were loaded lazily");
  return lazy;
}

// search finds words and people.
async function search(dora, emil, roomId) {
  await dora.say(roomId, "The Sicilian defence, Überraschung!");
  const found = async (who, term) =>
    (await who.client.search({ body: { search_categories: { room_events: { search_term: term, order_by: "recent" } } } })).search_categories.room_events;
  const hit = await found(emil, "uberraschung sicilian");
  assert.equal(hit.count, 1);
  assert.equal(hit.results[0].result.content.body, "The Sicilian defence, Überraschung!");
  assert.equal((await found(emil, "caro-kann")).count, 0);
  await host.kill();
  assert.equal((await found(dora, "SICILIAN")).count, 1);
  await dora.client.setDisplayName("Dora Desmond");
  const people = await emil.client.searchUserDirectory({ term: "desm" });
  assert.deepEqual(people.results.map((p) => p.user_id), [dora.id]);
  const ts = emil.client.getRoom(roomId).findEventById(hit.results[0].result.event_id)?.getTs() ?? hit.results[0].result.origin_server_ts;
  assert.equal((await emil.client.timestampToEvent(roomId, ts, "f")).event_id, hit.results[0].result.event_id);
  host.did("words and people were found");
}

// ignores keeps an ignored user's words away.
async function ignores(carol, emil, roomId) {
  await carol.client.setIgnoredUsers([emil.id]);
  const unwanted = await emil.say(roomId, "spam spam spam");
  const wanted = await carol.say(roomId, "Peace.");
  await carol.event(roomId, wanted);
  assert.equal(carol.client.getRoom(roomId).findEventById(unwanted), undefined);
  await carol.client.setIgnoredUsers([]);
  host.did("an ignored user was not heard");
}

// upgrade moves the room to another version, and the people follow.
async function upgrade(carol, dora, emil, roomId) {
  const { replacement_room: next } = await carol.client.upgradeRoom(roomId, "12");
  await dora.until(
    "the tombstone comes",
    () => dora.client.getRoom(roomId).currentState.getStateEvents("m.room.tombstone", "")?.getContent().replacement_room === next,
    RoomStateEvent.Events,
  );
  await own(carol, next, "join");
  const state = carol.client.getRoom(next).currentState;
  assert.equal(state.getStateEvents("m.room.create", "").getContent().predecessor.room_id, roomId);
  assert.equal(state.getStateEvents("m.room.name", "").getContent().name, "Chess club");
  assert.equal(state.getStateEvents("m.room.join_rules", "").getContent().join_rule, "knock");
  assert.equal((await dora.client.getRoomIdForAlias("#chess:rig.test")).room_id, next);
  await assert.rejects(emil.client.sendTextMessage(roomId, "still here?"), { errcode: "M_FORBIDDEN" });
  await host.kill();
  await dora.client.knockRoom(next);
  await member(carol, next, dora.id, "knock");
  await carol.client.invite(next, dora.id);
  await own(dora, next, "invite");
  await dora.client.joinRoom(next);
  await own(dora, next, "join");
  await dora.event(next, await carol.say(next, "Here we are."));
  host.did("the room was upgraded");
}

// devices are named, listed and removed; a new password ends the others.
async function devices(dora) {
  const phone = await Person.login(url, "dora");
  const tablet = await Person.login(url, "dora");
  const ids = async () => (await dora.client.getDevices()).devices.map((d) => d.device_id).sort();
  assert.deepEqual(await ids(), [dora, phone, tablet].map((p) => p.client.getDeviceId()).sort());
  await dora.client.setDeviceDetails(phone.client.getDeviceId(), { display_name: "Dora's telephone" });
  assert.equal((await dora.client.getDevice(phone.client.getDeviceId())).display_name, "Dora's telephone");

  // Removing a device wants the password.
  tablet.stop();
  const challenge = await dora.client.deleteDevice(tablet.client.getDeviceId()).catch((err) => err);
  assert.equal(challenge.httpStatus, 401);
  const auth = (password) => ({
    type: "m.login.password",
    session: challenge.data.session,
    identifier: { type: "m.id.user", user: dora.id },
    password,
  });
  await assert.rejects(dora.client.deleteDevice(tablet.client.getDeviceId(), auth("a guess")), { httpStatus: 401 });
  await dora.client.deleteDevice(tablet.client.getDeviceId(), auth(Person.PASSWORD));
  await assert.rejects(tablet.client.whoami(), { errcode: "M_UNKNOWN_TOKEN" });

  phone.stop();
  const asked = await dora.client.setPassword(undefined, "a better one 7", true).catch((err) => err);
  assert.equal(asked.httpStatus, 401);
  await dora.client.setPassword({ ...auth(Person.PASSWORD), session: asked.data.session }, "a better one 7", true);
  await assert.rejects(phone.client.whoami(), { errcode: "M_UNKNOWN_TOKEN" });
  assert.equal((await dora.client.whoami()).user_id, dora.id);
  await host.kill();
  assert.deepEqual(await ids(), [dora.client.getDeviceId()]);
  await assert.rejects(Person.login(url, "dora"), { errcode: "M_FORBIDDEN" });
  const anew = await Person.login(url, "dora", {}, "a better one 7");
  anew.stop();
  host.did("devices were managed, and the password changed");
}

const [carol, dora, emil, finn] = await Promise.all(["carol", "dora", "emil", "finn"].map((name) => Person.register(url, name)));
const roomId = await found(carol, dora, emil, finn);
await powers(carol, dora, emil, roomId);
await threads(carol, dora, emil, roomId);
await highlights(carol, dora, roomId);
await tagsAndPresence(carol, dora, roomId);
await space(carol, dora, roomId);
const many = await Promise.all(["gina", "hugo", "ines", "jan"].map((name) => Person.register(url, name)));
for (const person of many) {
  await carol.client.invite(roomId, person.id);
  await own(person, roomId, "invite");
  await person.client.joinRoom(roomId);
  await own(person, roomId, "join");
}
const lazy = await lazily(carol, dora, roomId, many);
await search(dora, emil, roomId);
await ignores(carol, emil, roomId);
await upgrade(carol, dora, emil, roomId);
await devices(dora);
for (const who of [carol, dora, emil, finn, lazy, ...many]) {
  if (who.fault) throw who.fault;
  who.stop();
}
host.did("done");
process.exit(0); // the SDK leaves timers behind
