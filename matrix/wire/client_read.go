package wire

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"hearth/matrix"
)

// State reads the content of a piece of a room's state into out.
//
// spec: client-server-api#get_matrixclientv3roomsroomidstateeventtypestatekey
func (c *Client) State(ctx context.Context, room matrix.RoomID, typ, key string, out any) error {
	return c.Do(ctx, http.MethodGet, RoomPath(room, "state", typ, key), nil, nil, out)
}

// FullState reads a room's whole state.
//
// spec: client-server-api#get_matrixclientv3roomsroomidstate
func (c *Client) FullState(ctx context.Context, room matrix.RoomID) ([]Event, error) {
	var out []Event
	err := c.Do(ctx, http.MethodGet, RoomPath(room, "state"), nil, nil, &out)
	return out, err
}

// Event reads one event.
//
// spec: client-server-api#get_matrixclientv3roomsroomideventeventid
func (c *Client) Event(ctx context.Context, room matrix.RoomID, event matrix.EventID) (Event, error) {
	var out Event
	err := c.Do(ctx, http.MethodGet, RoomPath(room, "event", string(event)), nil, nil, &out)
	return out, err
}

// Members reads the membership events of a room.
//
// spec: client-server-api#get_matrixclientv3roomsroomidmembers
func (c *Client) Members(ctx context.Context, room matrix.RoomID, query url.Values) ([]Event, error) {
	var out Page
	err := c.Do(ctx, http.MethodGet, RoomPath(room, "members"), query, nil, &out)
	return out.Chunk, err
}

// Page is a part of a room's history or of an event's relations.
type Page struct {
	Chunk     []Event `json:"chunk"`
	State     []Event `json:"state"`
	Start     string  `json:"start"`
	End       string  `json:"end"`        // "" at the end
	NextBatch string  `json:"next_batch"` // of relations and threads
	PrevBatch string  `json:"prev_batch"`
}

// Messages reads a page of a room's history in the direction "b" or "f" from a
// token, or from that direction's end if it is "".
//
// spec: client-server-api#get_matrixclientv3roomsroomidmessages
func (c *Client) Messages(ctx context.Context, room matrix.RoomID, direction, from string, limit int) (Page, error) {
	query := url.Values{"dir": {direction}, "limit": {strconv.Itoa(limit)}}
	if from != "" {
		query.Set("from", from)
	}
	var out Page
	err := c.Do(ctx, http.MethodGet, RoomPath(room, "messages"), query, nil, &out)
	return out, err
}

// EventContext is an event with what is around it.
type EventContext struct {
	Event  Event   `json:"event"`
	Before []Event `json:"events_before"` // latest first
	After  []Event `json:"events_after"`
	State  []Event `json:"state"`
	Start  string  `json:"start"`
	End    string  `json:"end"`
}

// Context reads what is around an event, at most limit events.
//
// spec: client-server-api#get_matrixclientv3roomsroomidcontexteventid
func (c *Client) Context(ctx context.Context, room matrix.RoomID, event matrix.EventID, limit int) (EventContext, error) {
	var out EventContext
	query := url.Values{"limit": {strconv.Itoa(limit)}}
	err := c.Do(ctx, http.MethodGet, RoomPath(room, "context", string(event)), query, nil, &out)
	return out, err
}

// Relations reads the events that relate to an event, latest first; of a
// relation type and an event type unless they are "".
//
// spec: client-server-api#get_matrixclientv1roomsroomidrelationseventid
func (c *Client) Relations(ctx context.Context, room matrix.RoomID, event matrix.EventID, rel, typ string, query url.Values) (Page, error) {
	path := Path("/_matrix/client/v1/rooms", string(room), "relations", string(event))
	if rel != "" {
		path = Path(path, rel)
		if typ != "" {
			path = Path(path, typ)
		}
	}
	var out Page
	err := c.Do(ctx, http.MethodGet, path, query, nil, &out)
	return out, err
}

// Threads reads the roots of a room's threads, those with the newest replies
// first.
//
// spec: client-server-api#get_matrixclientv1roomsroomidthreads
func (c *Client) Threads(ctx context.Context, room matrix.RoomID, query url.Values) (Page, error) {
	var out Page
	err := c.Do(ctx, http.MethodGet, Path("/_matrix/client/v1/rooms", string(room), "threads"), query, nil, &out)
	return out, err
}

// SyncOptions are the parameters of /sync; what is zero is left out.
type SyncOptions struct {
	Since      string
	Timeout    time.Duration // for how long to wait for something new
	Filter     string        // an id, or a filter's JSON
	FullState  bool
	StateAfter bool
	Presence   string
}

func (o SyncOptions) query() url.Values {
	q := make(url.Values, 6)
	for name, value := range map[string]string{"since": o.Since, "filter": o.Filter, "set_presence": o.Presence} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if o.Timeout > 0 {
		q.Set("timeout", strconv.FormatInt(o.Timeout.Milliseconds(), 10))
	}
	if o.FullState {
		q.Set("full_state", "true")
	}
	if o.StateAfter {
		q.Set("use_state_after", "true")
	}
	return q
}

// SyncAnswer is what /sync answers.
//
// spec: client-server-api#get_matrixclientv3sync
type SyncAnswer struct {
	NextBatch   string     `json:"next_batch"`
	AccountData SyncEvents `json:"account_data"`
	Presence    SyncEvents `json:"presence"`
	ToDevice    SyncEvents `json:"to_device"`
	Rooms       struct {
		Join   map[matrix.RoomID]*JoinedRoom  `json:"join"`
		Invite map[matrix.RoomID]*InvitedRoom `json:"invite"`
		Knock  map[matrix.RoomID]*KnockedRoom `json:"knock"`
		Leave  map[matrix.RoomID]*LeftRoom    `json:"leave"`
	} `json:"rooms"`
	DeviceLists  DeviceLists      `json:"device_lists"`
	OneTimeKeys  map[string]int64 `json:"device_one_time_keys_count"`
	FallbackKeys []string         `json:"device_unused_fallback_key_types"`
}

// DeviceLists are users whose devices changed, and users who share no room any more.
type DeviceLists struct {
	Changed []matrix.UserID `json:"changed"`
	Left    []matrix.UserID `json:"left"`
}

// SyncEvents is a list of events in a sync.
type SyncEvents struct {
	Events []Event `json:"events"`
}

// SyncTimeline is a room's new events, or the latest of them.
type SyncTimeline struct {
	Events    []Event `json:"events"`
	Limited   bool    `json:"limited"`
	PrevBatch string  `json:"prev_batch"`
}

// JoinedRoom is a room that the user is in.
type JoinedRoom struct {
	Summary struct {
		Heroes  []matrix.UserID `json:"m.heroes"`
		Joined  *int64          `json:"m.joined_member_count"`
		Invited *int64          `json:"m.invited_member_count"`
	} `json:"summary"`
	State               SyncEvents              `json:"state"`
	StateAfter          *SyncEvents             `json:"state_after"`
	Timeline            SyncTimeline            `json:"timeline"`
	Ephemeral           SyncEvents              `json:"ephemeral"`
	AccountData         SyncEvents              `json:"account_data"`
	UnreadNotifications UnreadCounts            `json:"unread_notifications"`
	UnreadThreads       map[string]UnreadCounts `json:"unread_thread_notifications"`
}

// UnreadCounts counts what the push rules notify of.
type UnreadCounts struct {
	Highlight    int64 `json:"highlight_count"`
	Notification int64 `json:"notification_count"`
}

// InvitedRoom is a room that the user is invited to.
type InvitedRoom struct {
	State SyncEvents `json:"invite_state"`
}

// KnockedRoom is a room that the user knocks at.
type KnockedRoom struct {
	State SyncEvents `json:"knock_state"`
}

// LeftRoom is a room that the user left.
type LeftRoom struct {
	State       SyncEvents   `json:"state"`
	StateAfter  *SyncEvents  `json:"state_after"`
	Timeline    SyncTimeline `json:"timeline"`
	AccountData SyncEvents   `json:"account_data"`
}

// Sync asks what is new.
func (c *Client) Sync(ctx context.Context, o SyncOptions) (*SyncAnswer, error) {
	out := new(SyncAnswer)
	if err := c.Do(ctx, http.MethodGet, v3+"/sync", o.query(), nil, out); err != nil {
		return nil, err
	}
	return out, nil
}
