package room

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"

	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/event"
)

// Creation is what a user asks of a new room.
// spec: client-server-api#post_matrixclientv3createroom
type Creation struct {
	Creator       matrix.UserID
	Version       matrix.Version // "" is the default
	Public        bool           // visibility "public", which decides the preset if there is none
	Preset        string
	Content       []byte // creation_content, an object or nil
	PowerOverride []byte // power_level_content_override, an object or nil
	Alias         matrix.RoomAlias
	InitialState  []InitialState
	Name, Topic   *string
	Invite        []matrix.UserID
	Direct        bool
	Unlimited     bool // made for the server, which may make any number
	Encrypt       bool // encrypt the room if its preset does not make it public
	// Also, if set, adds to the change that creates the room: its alias, say.
	Also func(tx *store.Tx, num store.RoomNum, id matrix.RoomID)
}

// InitialState is a state event of a new room.
type InitialState struct {
	Type     string          `json:"type"`
	StateKey string          `json:"state_key"`
	Content  json.RawMessage `json:"content"`
}

// How much may be asked of one new room.
const (
	MaxInvites      = 100
	MaxInitialState = 100
)

type preset struct {
	joinRule, guestAccess string
	invite                int  // the power level to invite
	trusted               bool // who is invited is the creator's equal
	private               bool
}

func (c *Creation) preset() (preset, error) {
	name := c.Preset
	if name == "" {
		name = "private_chat"
		if c.Public {
			name = "public_chat"
		}
	}
	switch name {
	case "private_chat":
		return preset{"invite", "can_join", 0, false, true}, nil
	case "trusted_private_chat":
		return preset{"invite", "can_join", 0, true, true}, nil
	case "public_chat":
		return preset{"public", "forbidden", 50, false, false}, nil
	}
	return preset{}, matrix.Errorf(http.StatusBadRequest, matrix.MBadJSON, "Unknown preset %q", name)
}

// Create makes a room with all its first events as one change, and returns its id once it is durable.
//
// Errors: M_UNSUPPORTED_ROOM_VERSION; M_BAD_JSON for an unknown preset; M_INVALID_ROOM_STATE when the room's own rules
// refuse what was asked for; M_TOO_LARGE for too much of it (all 400); M_INVITE_BLOCKED, M_USER_LIMIT_EXCEEDED (403).
func (rs *Rooms) Create(ctx context.Context, c Creation) (matrix.RoomID, error) {
	if !c.Unlimited {
		if err := rs.mayMake(ctx, c.Creator); err != nil {
			return "", err
		}
	}
	for {
		st, err := rs.stageRoom(ctx, &c)
		if errors.Is(err, errIDTaken) {
			continue // the next time is another
		}
		if err != nil {
			return "", err
		}
		if c.Also != nil {
			st.writes = append(st.writes, func(tx *store.Tx) { c.Also(tx, st.info.Num, st.info.ID) })
		}
		t, err := st.commit(ctx)
		if errors.Is(err, store.ErrStale) {
			continue
		}
		if err != nil {
			return "", err
		}
		// The caller may hold the room's alias: it must not let go of it before the outcome is known.
		return st.info.ID, t.Wait(context.WithoutCancel(ctx))
	}
}

// stageRoom stages all events of a new room.
func (rs *Rooms) stageRoom(ctx context.Context, c *Creation) (*stage, error) {
	if c.Version == "" {
		c.Version = matrix.DefaultVersion
	}
	version, ok := matrix.LookupVersion(c.Version)
	if !ok {
		return nil, unknownVersion(c.Version)
	}
	if len(c.Invite) > MaxInvites || len(c.InitialState) > MaxInitialState {
		return nil, matrix.Errorf(http.StatusBadRequest, matrix.MTooLarge, "At most %d invites and %d initial state events", MaxInvites, MaxInitialState)
	}
	p, err := c.preset()
	if err != nil {
		return nil, err
	}
	st := newStage(rs, newHead(rs.store.Generation(), store.Room{Version: version}))
	st.created = rs.creationTime()
	if !version.RoomIDIsCreateHash {
		name, err := rs.randomName()
		if err != nil {
			return nil, err
		}
		st.info.ID = matrix.RoomID("!" + name + ":" + string(rs.o.Signer.Server))
	}
	for _, step := range []func(context.Context, *Creation, preset) error{
		st.createEvent, st.creatorJoins, st.firstPowerLevels, st.firstState, st.firstInvites,
	} {
		if err := step(ctx, c, p); err != nil {
			return nil, asRoomState(err)
		}
	}
	return st, nil
}

// creationTime returns the time of a create event, in ms. No two are alike: the id of a room of version 12 is the hash
// of its create event, of which the time may be all that differs from that of another room.
func (rs *Rooms) creationTime() int64 {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rs.created = max(rs.created+1, rs.o.Now().UnixMilli())
	return rs.created
}

// asRoomState turns a refusal by the room's own rules into the error of createRoom.
func asRoomState(err error) error {
	var m *matrix.Error
	if errors.As(err, &m) && m.Code == matrix.MForbidden {
		return matrix.Errorf(http.StatusBadRequest, matrix.MInvalidRoomState, "%s", m.Message)
	}
	return err
}

// put stages a state event with a value that is encoded as JSON.
func (st *stage) put(ctx context.Context, sender matrix.UserID, typ, key string, content any) error {
	raw, ok := content.(json.RawMessage)
	if !ok {
		var err error
		if raw, err = json.Marshal(content); err != nil {
			return fmt.Errorf("encoding %s: %w", typ, err)
		}
	}
	_, err := st.add(ctx, draftEvent{sender: sender, typ: typ, stateKey: &key, content: raw})
	return err
}

func (st *stage) createEvent(ctx context.Context, c *Creation, p preset) error {
	content := c.Content
	if content == nil {
		content = []byte("{}")
	}
	content = matrix.Without(nil, content, "creator", "room_version")
	content = matrix.With(nil, content, "room_version", matrix.AppendString(nil, string(st.info.Version.Version)))
	if !st.info.Version.CreatorIsSender {
		content = matrix.With(nil, content, "creator", matrix.AppendString(nil, string(c.Creator)))
	}
	if st.info.Version.PrivilegedCreators && p.trusted {
		content = c.additionalCreators(content)
	}
	key := ""
	e, err := st.add(ctx, draftEvent{sender: c.Creator, typ: event.TypeCreate, stateKey: &key, content: content, time: st.created})
	if err != nil {
		return err
	}
	st.info.ID = e.RoomID
	return st.unused(ctx)
}

// unused makes sure that a room of this id was not made before: the clock may have been set back.
func (st *stage) unused(ctx context.Context) error {
	have, err := st.rooms.store.RoomByID(ctx, st.info.ID)
	if err == nil && have != nil {
		err = errIDTaken
	}
	return err
}

var errIDTaken = errors.New("there is a room of this id")

// additionalCreators makes the invited users creators too.
func (c *Creation) additionalCreators(content []byte) []byte {
	var all []string
	if raw, ok := matrix.Field(content, "additional_creators"); ok {
		if json.Unmarshal(raw, &all) != nil {
			return content // the authorisation rules refuse it
		}
	}
	for _, u := range c.Invite {
		if u != c.Creator && !slices.Contains(all, string(u)) {
			all = append(all, string(u))
		}
	}
	if len(all) == 0 {
		return content
	}
	raw, err := json.Marshal(all)
	if err != nil {
		return content
	}
	return matrix.With(nil, content, "additional_creators", raw)
}

func (st *stage) creatorJoins(ctx context.Context, c *Creation, _ preset) error {
	_, err := st.change(ctx, Change{Sender: c.Creator, Target: c.Creator, Membership: "join"})
	return err
}

// firstPowerLevels is the default m.room.power_levels with the request's override on top.
func (st *stage) firstPowerLevels(ctx context.Context, c *Creation, p preset) error {
	users := map[string]any{}
	events := map[string]int64{
		"m.room.name": 50, "m.room.avatar": 50, "m.room.canonical_alias": 50,
		"m.room.power_levels": 100, "m.room.history_visibility": 100, "m.room.tombstone": 100,
		"m.room.server_acl": 100, "m.room.encryption": 100,
	}
	if !st.info.Version.PrivilegedCreators {
		users[string(c.Creator)] = 100
		if p.trusted {
			for _, u := range c.Invite {
				users[string(u)] = 100
			}
		}
	}
	levels := map[string]any{
		"ban": 50, "kick": 50, "redact": 50, "invite": p.invite, "events_default": 0, "state_default": 50, "users_default": 0,
		"historical": 100,
		"users":      users,
		"events":     events,
	}
	var override map[string]json.RawMessage
	if c.PowerOverride != nil {
		if err := json.Unmarshal(c.PowerOverride, &override); err != nil {
			return matrix.Errorf(http.StatusBadRequest, matrix.MBadJSON, "power_level_content_override is not an object")
		}
		for k, v := range override {
			levels[k] = v
		}
	}
	if st.info.Version.PrivilegedCreators {
		stateDefault, ok := matrix.Int(override["state_default"])
		if !ok {
			stateDefault = 50
		}
		level := tombstoneLevel(stateDefault)
		events["m.room.tombstone"] = level
		if own, ok := override["events"]; ok {
			levels["events"] = withTombstone(own, level)
		}
	}
	return st.put(ctx, c.Creator, event.TypePowerLevels, "", levels)
}

// tombstoneLevel is the level at which a room of this state_default is replaced whose creators are above all others:
// by creators, until they say otherwise.
// spec: client-server-api#post_matrixclientv3createroom 3
func tombstoneLevel(stateDefault int64) int64 { return min(max(150, stateDefault+1), matrix.MaxInt) }

// withTombstone gives the level to the "events" of power levels unless they name one.
func withTombstone(events []byte, level int64) json.RawMessage {
	if _, named := matrix.Field(events, "m.room.tombstone"); named || !matrix.IsObject(events) {
		return events
	}
	return matrix.With(nil, events, "m.room.tombstone", strconv.AppendInt(nil, level, 10))
}

// firstState is what the alias, the preset, the request and its name and topic say of the room, each event once.
func (st *stage) firstState(ctx context.Context, c *Creation, p preset) error {
	if c.Alias != "" {
		if err := st.put(ctx, c.Creator, "m.room.canonical_alias", "", map[string]any{"alias": c.Alias}); err != nil {
			return err
		}
	}
	given := make(map[string]bool)
	for _, s := range c.InitialState {
		if s.StateKey == "" {
			given[s.Type] = true
		}
	}
	for _, d := range []struct {
		typ     string
		content map[string]string
	}{
		{"m.room.join_rules", map[string]string{"join_rule": p.joinRule}},
		{"m.room.history_visibility", map[string]string{"history_visibility": "shared"}},
		{"m.room.guest_access", map[string]string{"guest_access": p.guestAccess}},
	} {
		if given[d.typ] {
			continue
		}
		if err := st.put(ctx, c.Creator, d.typ, "", d.content); err != nil {
			return err
		}
	}
	return st.requestedState(ctx, c, p)
}

func (st *stage) requestedState(ctx context.Context, c *Creation, p preset) error {
	for _, s := range c.InitialState {
		if s.Type == event.TypeMember {
			// NOTSPEC: the room's rules would let the creator invite or leave like this, around all that is checked of
			// memberships.
			return matrix.Errorf(http.StatusBadRequest, matrix.MInvalidRoomState, "Memberships are no part of the initial state: use invite")
		}
		if s.Type == "m.room.name" && c.Name != nil || s.Type == "m.room.topic" && c.Topic != nil {
			continue
		}
		if err := st.put(ctx, c.Creator, s.Type, s.StateKey, s.Content); err != nil {
			return err
		}
	}
	if c.Encrypt && p.private && !isEncrypted(c.InitialState) {
		if err := st.put(ctx, c.Creator, "m.room.encryption", "", map[string]string{"algorithm": "m.megolm.v1.aes-sha2"}); err != nil {
			return err
		}
	}
	if c.Name != nil {
		if err := st.put(ctx, c.Creator, "m.room.name", "", map[string]string{"name": *c.Name}); err != nil {
			return err
		}
	}
	if c.Topic == nil {
		return nil
	}
	return st.put(ctx, c.Creator, "m.room.topic", "", map[string]any{
		"topic":   *c.Topic,
		"m.topic": map[string]any{"m.text": []map[string]string{{"body": *c.Topic}}},
	})
}

// isEncrypted reports whether the last of the initial states which says so names an algorithm. Anything else does not
// keep a room from being encrypted.
func isEncrypted(state []InitialState) (yes bool) {
	for _, s := range state {
		if s.Type == "m.room.encryption" && s.StateKey == "" {
			algorithm, ok := matrix.StringField(s.Content, "algorithm")
			yes = ok && algorithm != ""
		}
	}
	return yes
}

func (st *stage) firstInvites(ctx context.Context, c *Creation, _ preset) error {
	var extra []byte
	if c.Direct {
		extra = []byte(`{"is_direct":true}`)
	}
	for _, u := range c.Invite {
		if u == c.Creator {
			continue
		}
		if _, err := st.change(ctx, Change{Sender: c.Creator, Target: u, Membership: "invite", Extra: extra}); err != nil {
			return err
		}
	}
	return nil
}

// randomName returns 18 random bytes in URL-safe Base64: the opaque part of an id.
func (rs *Rooms) randomName() (string, error) {
	var b [18]byte
	if _, err := io.ReadFull(rs.o.Rand, b[:]); err != nil {
		return "", fmt.Errorf("making a random name: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(b[:]), nil
}
