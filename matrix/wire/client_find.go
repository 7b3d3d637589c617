package wire

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"hearth/matrix"
)

const v1 = "/_matrix/client/v1"

// RoomSummary is what is told of a room to those who are not in it.
//
// spec: client-server-api#get_matrixclientv1room_summaryroomidoralias
type RoomSummary struct {
	RoomID        matrix.RoomID   `json:"room_id"`
	Name          string          `json:"name"`
	Topic         string          `json:"topic"`
	Alias         string          `json:"canonical_alias"`
	Avatar        string          `json:"avatar_url"`
	JoinRule      string          `json:"join_rule"`
	Type          string          `json:"room_type"`
	Joined        int64           `json:"num_joined_members"`
	WorldReadable bool            `json:"world_readable"`
	GuestsCanJoin bool            `json:"guest_can_join"`
	Allowed       []matrix.RoomID `json:"allowed_room_ids"`
	Encryption    string          `json:"encryption"`
	Version       matrix.Version  `json:"room_version"`
	Membership    string          `json:"membership"`
	Children      []Event         `json:"children_state"` // of hierarchies
}

// RoomSummary reads a room's summary, by its id or alias.
func (c *Client) RoomSummary(ctx context.Context, room string) (RoomSummary, error) {
	var out RoomSummary
	err := c.Do(ctx, http.MethodGet, Path(v1+"/room_summary", room), nil, nil, &out)
	return out, err
}

// Hierarchy is a page of the rooms in a space.
//
// spec: client-server-api#get_matrixclientv1roomsroomidhierarchy
type Hierarchy struct {
	Rooms     []RoomSummary `json:"rooms"`
	NextBatch string        `json:"next_batch"`
}

// Hierarchy reads a page of the rooms in a space.
func (c *Client) Hierarchy(ctx context.Context, room matrix.RoomID, query url.Values) (Hierarchy, error) {
	var out Hierarchy
	err := c.Do(ctx, http.MethodGet, Path(v1+"/rooms", string(room), "hierarchy"), query, nil, &out)
	return out, err
}

// PublicRooms is a page of a server's published rooms.
//
// spec: client-server-api#post_matrixclientv3publicrooms
type PublicRooms struct {
	Chunk     []RoomSummary `json:"chunk"`
	NextBatch string        `json:"next_batch"`
	PrevBatch string        `json:"prev_batch"`
	Total     int64         `json:"total_room_count_estimate"`
}

// PublicRooms reads a page of the published rooms; in is the body of the
// request.
func (c *Client) PublicRooms(ctx context.Context, in any) (PublicRooms, error) {
	var out PublicRooms
	err := c.Do(ctx, http.MethodPost, v3+"/publicRooms", nil, in, &out)
	return out, err
}

// FoundUser is a user whom a search found.
type FoundUser struct {
	UserID      matrix.UserID `json:"user_id"`
	DisplayName string        `json:"display_name"`
	Avatar      string        `json:"avatar_url"`
}

// SearchUsers searches for users; limited says that there are more than limit.
//
// spec: client-server-api#post_matrixclientv3user_directorysearch
func (c *Client) SearchUsers(ctx context.Context, term string, limit int) (users []FoundUser, limited bool, err error) {
	in := struct {
		Term  string `json:"search_term"`
		Limit int    `json:"limit,omitempty"`
	}{term, limit}
	var out struct {
		Results []FoundUser `json:"results"`
		Limited bool        `json:"limited"`
	}
	err = c.Do(ctx, http.MethodPost, v3+"/user_directory/search", nil, in, &out)
	return out.Results, out.Limited, err
}

// MutualRooms reads a page of the rooms in which another user is too: the
// rooms, how many there are in all, and the token of the next page.
//
// spec: client-server-api#get_matrixclientv1mutual_rooms
func (c *Client) MutualRooms(ctx context.Context, user matrix.UserID, from string) (rooms []matrix.RoomID, count int64, next string, err error) {
	query := url.Values{"user_id": {string(user)}}
	if from != "" {
		query.Set("from", from)
	}
	var out struct {
		Joined []matrix.RoomID `json:"joined"`
		Count  int64           `json:"count"`
		Next   string          `json:"next_batch"`
	}
	err = c.Do(ctx, http.MethodGet, v1+"/mutual_rooms", query, nil, &out)
	return out.Joined, out.Count, out.Next, err
}

// EventAt finds the event nearest to a time, in ms since 1970, in the
// direction "f" or "b".
//
// spec: client-server-api#get_matrixclientv1roomsroomidtimestamp_to_event
func (c *Client) EventAt(ctx context.Context, room matrix.RoomID, moment int64, direction string) (matrix.EventID, int64, error) {
	query := url.Values{"ts": {strconv.FormatInt(moment, 10)}, "dir": {direction}}
	var out struct {
		ID   matrix.EventID `json:"event_id"`
		Time int64          `json:"origin_server_ts"`
	}
	err := c.Do(ctx, http.MethodGet, Path(v1+"/rooms", string(room), "timestamp_to_event"), query, nil, &out)
	return out.ID, out.Time, err
}

// RoomInfo is what the deprecated initialSync of a room answers.
//
// spec: client-server-api#get_matrixclientv3roomsroomidinitialsync
type RoomInfo struct {
	RoomID      matrix.RoomID   `json:"room_id"`
	Membership  string          `json:"membership"`
	Visibility  string          `json:"visibility"`
	Messages    Page            `json:"messages"`
	State       []Event         `json:"state"`
	AccountData []Event         `json:"account_data"`
	Presence    json.RawMessage `json:"presence"`
}

// InitialSync reads a room by the deprecated endpoint.
func (c *Client) InitialSync(ctx context.Context, room matrix.RoomID) (RoomInfo, error) {
	var out RoomInfo
	err := c.Do(ctx, http.MethodGet, RoomPath(room, "initialSync"), nil, nil, &out)
	return out, err
}
