package wire

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"hearth/matrix"
)

// Event is an event as clients see it.
//
// spec: client-server-api#room-event-format
type Event struct {
	Type           string          `json:"type"`
	ID             matrix.EventID  `json:"event_id,omitempty"`
	RoomID         matrix.RoomID   `json:"room_id,omitempty"`
	Sender         matrix.UserID   `json:"sender,omitempty"`
	StateKey       *string         `json:"state_key,omitempty"`
	Content        json.RawMessage `json:"content"`
	OriginServerTS int64           `json:"origin_server_ts,omitempty"` // milliseconds
	Redacts        matrix.EventID  `json:"redacts,omitempty"`
	Unsigned       json.RawMessage `json:"unsigned,omitempty"`
}

// CreateRoom is the body of /createRoom; what is zero is left out.
//
// spec: client-server-api#post_matrixclientv3createroom
type CreateRoom struct {
	Preset          string          `json:"preset,omitempty"`
	Visibility      string          `json:"visibility,omitempty"`
	Version         matrix.Version  `json:"room_version,omitempty"`
	Name            string          `json:"name,omitempty"`
	Topic           string          `json:"topic,omitempty"`
	AliasName       string          `json:"room_alias_name,omitempty"`
	Invite          []matrix.UserID `json:"invite,omitempty"`
	IsDirect        bool            `json:"is_direct,omitempty"`
	InitialState    []Event         `json:"initial_state,omitempty"`
	CreationContent any             `json:"creation_content,omitempty"`
	PowerLevels     any             `json:"power_level_content_override,omitempty"`
}

// CreateRoom creates a room.
func (c *Client) CreateRoom(ctx context.Context, room CreateRoom) (matrix.RoomID, error) {
	return c.roomCall(ctx, v3+"/createRoom", nil, room)
}

// Join joins a room by its id or alias, through the servers in via.
//
// spec: client-server-api#post_matrixclientv3joinroomidoralias
func (c *Client) Join(ctx context.Context, room string, via ...string) (matrix.RoomID, error) {
	return c.roomCall(ctx, Path(v3+"/join", room), url.Values{"via": via}, struct{}{})
}

func (c *Client) roomCall(ctx context.Context, path string, query url.Values, in any) (matrix.RoomID, error) {
	var out struct {
		RoomID matrix.RoomID `json:"room_id"`
	}
	err := c.Do(ctx, http.MethodPost, path, query, in, &out)
	return out.RoomID, err
}

// Knock asks to be let into a room, by its id or alias, through the servers in
// via; reason may be "".
//
// spec: client-server-api#post_matrixclientv3knockroomidoralias
func (c *Client) Knock(ctx context.Context, room, reason string, via ...string) (matrix.RoomID, error) {
	body := map[string]string{}
	if reason != "" {
		body["reason"] = reason
	}
	return c.roomCall(ctx, Path(v3+"/knock", room), url.Values{"via": via}, body)
}

// Upgrade replaces a room by one of another version, with further creators
// where that version has them, and returns the new room.
//
// spec: client-server-api#post_matrixclientv3roomsroomidupgrade
func (c *Client) Upgrade(ctx context.Context, room matrix.RoomID, version matrix.Version, creators ...matrix.UserID) (matrix.RoomID, error) {
	in := struct {
		Version  matrix.Version  `json:"new_version"`
		Creators []matrix.UserID `json:"additional_creators,omitempty"`
	}{version, creators}
	var out struct {
		Room matrix.RoomID `json:"replacement_room"`
	}
	err := c.Do(ctx, http.MethodPost, RoomPath(room, "upgrade"), nil, in, &out)
	return out.Room, err
}

// Visibility returns whether a room is "public" or "private" in the published
// room directory.
//
// spec: client-server-api#get_matrixclientv3directorylistroomroomid
func (c *Client) Visibility(ctx context.Context, room matrix.RoomID) (string, error) {
	var out struct {
		Visibility string `json:"visibility"`
	}
	err := c.Do(ctx, http.MethodGet, Path(v3+"/directory/list/room", string(room)), nil, nil, &out)
	return out.Visibility, err
}

// SetVisibility makes a room "public" or "private" in the published room
// directory.
//
// spec: client-server-api#put_matrixclientv3directorylistroomroomid
func (c *Client) SetVisibility(ctx context.Context, room matrix.RoomID, visibility string) error {
	return c.Do(ctx, http.MethodPut, Path(v3+"/directory/list/room", string(room)), nil, map[string]string{"visibility": visibility}, nil)
}

// Invite invites a user into a room.
//
// spec: client-server-api#post_matrixclientv3roomsroomidinvite
func (c *Client) Invite(ctx context.Context, room matrix.RoomID, user matrix.UserID) error {
	return c.member(ctx, room, "invite", user, "")
}

// Kick removes a user from a room.
//
// spec: client-server-api#post_matrixclientv3roomsroomidkick
func (c *Client) Kick(ctx context.Context, room matrix.RoomID, user matrix.UserID, reason string) error {
	return c.member(ctx, room, "kick", user, reason)
}

// Ban bans a user from a room.
//
// spec: client-server-api#post_matrixclientv3roomsroomidban
func (c *Client) Ban(ctx context.Context, room matrix.RoomID, user matrix.UserID, reason string) error {
	return c.member(ctx, room, "ban", user, reason)
}

// Unban lets a banned user be invited or join again.
//
// spec: client-server-api#post_matrixclientv3roomsroomidunban
func (c *Client) Unban(ctx context.Context, room matrix.RoomID, user matrix.UserID) error {
	return c.member(ctx, room, "unban", user, "")
}

// Leave leaves a room, or rejects the invite to it.
//
// spec: client-server-api#post_matrixclientv3roomsroomidleave
func (c *Client) Leave(ctx context.Context, room matrix.RoomID) error {
	return c.member(ctx, room, "leave", "", "")
}

// Forget forgets a room that was left.
//
// spec: client-server-api#post_matrixclientv3roomsroomidforget
func (c *Client) Forget(ctx context.Context, room matrix.RoomID) error {
	return c.member(ctx, room, "forget", "", "")
}

func (c *Client) member(ctx context.Context, room matrix.RoomID, verb string, user matrix.UserID, reason string) error {
	body := struct {
		User   matrix.UserID `json:"user_id,omitempty"`
		Reason string        `json:"reason,omitempty"`
	}{user, reason}
	return c.Do(ctx, http.MethodPost, RoomPath(room, verb), nil, body, nil)
}

// JoinedRooms lists the rooms that the user is in.
//
// spec: client-server-api#get_matrixclientv3joined_rooms
func (c *Client) JoinedRooms(ctx context.Context) ([]matrix.RoomID, error) {
	var out struct {
		Rooms []matrix.RoomID `json:"joined_rooms"`
	}
	err := c.Do(ctx, http.MethodGet, v3+"/joined_rooms", nil, nil, &out)
	return out.Rooms, err
}

// Send sends a message event. The same txn sends it once, however often it is
// called.
//
// spec: client-server-api#put_matrixclientv3roomsroomidsendeventtypetxnid
func (c *Client) Send(ctx context.Context, room matrix.RoomID, typ, txn string, content any) (matrix.EventID, error) {
	return c.put(ctx, RoomPath(room, "send", typ, txn), content)
}

// SendText sends a text message.
func (c *Client) SendText(ctx context.Context, room matrix.RoomID, txn, text string) (matrix.EventID, error) {
	return c.Send(ctx, room, "m.room.message", txn, map[string]string{"msgtype": "m.text", "body": text})
}

// SendState sets a piece of a room's state.
//
// spec: client-server-api#put_matrixclientv3roomsroomidstateeventtypestatekey
func (c *Client) SendState(ctx context.Context, room matrix.RoomID, typ, key string, content any) (matrix.EventID, error) {
	return c.put(ctx, RoomPath(room, "state", typ, key), content)
}

// Redact redacts an event.
//
// spec: client-server-api#put_matrixclientv3roomsroomidredacteventidtxnid
func (c *Client) Redact(ctx context.Context, room matrix.RoomID, event matrix.EventID, txn, reason string) (matrix.EventID, error) {
	body := map[string]string{}
	if reason != "" {
		body["reason"] = reason
	}
	return c.put(ctx, RoomPath(room, "redact", string(event), txn), body)
}

func (c *Client) put(ctx context.Context, path string, content any) (matrix.EventID, error) {
	var out struct {
		ID matrix.EventID `json:"event_id"`
	}
	err := c.Do(ctx, http.MethodPut, path, nil, content, &out)
	return out.ID, err
}

// Typing says whether the user is typing, for at most timeout milliseconds.
//
// spec: client-server-api#put_matrixclientv3roomsroomidtypinguserid
func (c *Client) Typing(ctx context.Context, room matrix.RoomID, typing bool, timeout int64) error {
	body := map[string]any{"typing": typing}
	if typing {
		body["timeout"] = timeout
	}
	return c.Do(ctx, http.MethodPut, RoomPath(room, "typing", string(c.User)), nil, body, nil)
}

// Receipt sends a receipt of a kind such as "m.read" for an event; of a thread
// if it is not "".
//
// spec: client-server-api#post_matrixclientv3roomsroomidreceiptreceipttypeeventid
func (c *Client) Receipt(ctx context.Context, room matrix.RoomID, kind string, event matrix.EventID, thread string) error {
	body := map[string]string{}
	if thread != "" {
		body["thread_id"] = thread
	}
	return c.Do(ctx, http.MethodPost, RoomPath(room, "receipt", kind, string(event)), nil, body, nil)
}

// ReadMarkers is the body of /read_markers; what is "" is left as it is.
type ReadMarkers struct {
	FullyRead   matrix.EventID `json:"m.fully_read,omitempty"`
	Read        matrix.EventID `json:"m.read,omitempty"`
	ReadPrivate matrix.EventID `json:"m.read.private,omitempty"`
}

// ReadMarkers moves the user's markers in a room.
//
// spec: client-server-api#post_matrixclientv3roomsroomidread_markers
func (c *Client) ReadMarkers(ctx context.Context, room matrix.RoomID, m ReadMarkers) error {
	return c.Do(ctx, http.MethodPost, RoomPath(room, "read_markers"), nil, m, nil)
}

// RoomPath is the path of a room's endpoint.
func RoomPath(room matrix.RoomID, segments ...string) string {
	return Path(v3+"/rooms/"+url.PathEscape(string(room)), segments...)
}
