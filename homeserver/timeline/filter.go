package timeline

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/wire"
)

// EventFilter selects events: the specification's EventFilter and RoomEventFilter in one.
// spec: client-server-api#filtering
type EventFilter struct {
	Limit                   *int64           `json:"limit"`
	Types                   *[]string        `json:"types"` // nil is all; an empty list is none
	NotTypes                []string         `json:"not_types"`
	Senders                 *[]matrix.UserID `json:"senders"`
	NotSenders              []matrix.UserID  `json:"not_senders"`
	Rooms                   *[]matrix.RoomID `json:"rooms"`
	NotRooms                []matrix.RoomID  `json:"not_rooms"`
	ContainsURL             *bool            `json:"contains_url"`
	LazyLoadMembers         bool             `json:"lazy_load_members"`
	IncludeRedundantMembers bool             `json:"include_redundant_members"`
	UnreadThreads           bool             `json:"unread_thread_notifications"`
	RelatedBySenders        []matrix.UserID  `json:"related_by_senders"`
	RelatedByRelTypes       []string         `json:"related_by_rel_types"`
}

// maxFilterItems bounds each list of a filter.
const maxFilterItems = 1000

// ParseEventFilter reads a filter given as JSON text; "" selects all.
func ParseEventFilter(text string) (*EventFilter, error) {
	f := new(EventFilter)
	if text == "" {
		return f, nil
	}
	if !matrix.IsObject([]byte(text)) || !json.Valid([]byte(text)) {
		return nil, matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "The filter is not a JSON object")
	}
	if err := wire.Decode([]byte(text), f); err != nil {
		if refused := new(matrix.Error); errors.As(err, &refused) {
			return nil, matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "The filter is not valid: %s", refused.Message)
		}
		return nil, err
	}
	return f, f.Check()
}

// Check refuses filters that cost too much.
func (f *EventFilter) Check() error {
	n := max(len(f.NotTypes), len(f.NotSenders), len(f.NotRooms), len(f.RelatedBySenders), len(f.RelatedByRelTypes))
	if f.Types != nil {
		n = max(n, len(*f.Types))
	}
	if f.Senders != nil {
		n = max(n, len(*f.Senders))
	}
	if f.Rooms != nil {
		n = max(n, len(*f.Rooms))
	}
	if n > maxFilterItems {
		return matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "A filter's lists have at most %d items", maxFilterItems)
	}
	return nil
}

// Room reports whether the filter selects a room. No filter, nil, selects all.
func (f *EventFilter) Room(id matrix.RoomID) bool {
	return f == nil || (f.Rooms == nil || slices.Contains(*f.Rooms, id)) && !slices.Contains(f.NotRooms, id)
}

// Type reports whether the filter selects an event type. A "*" in a filter stands for any characters.
func (f *EventFilter) Type(typ string) bool {
	matches := func(pattern string) bool { return glob(pattern, typ) }
	return (f.Types == nil || slices.ContainsFunc(*f.Types, matches)) && !slices.ContainsFunc(f.NotTypes, matches)
}

// Sender reports whether the filter selects a sender.
func (f *EventFilter) Sender(u matrix.UserID) bool {
	return (f.Senders == nil || slices.Contains(*f.Senders, u)) && !slices.Contains(f.NotSenders, u)
}

// Selects reports whether the filter selects an event by what it says itself; Rooms and the Related fields are not
// looked at.
func (f *EventFilter) Selects(e *store.Event) bool {
	if !f.Type(e.Type) || !f.Sender(e.Sender) {
		return false
	}
	if f.ContainsURL == nil {
		return true
	}
	raw, ok := matrix.Field(e.Content, "url")
	return (ok && matrix.IsString(raw)) == *f.ContainsURL
}

// all reports whether the filter selects everything.
func (f *EventFilter) all() bool {
	return f == nil || f.Types == nil && f.Senders == nil && f.Rooms == nil && f.ContainsURL == nil &&
		len(f.NotTypes)+len(f.NotSenders)+len(f.NotRooms)+len(f.RelatedBySenders)+len(f.RelatedByRelTypes) == 0
}

// Max returns the filter's limit, otherwise if it has none, between 0 and most.
func (f *EventFilter) Max(otherwise, most int64) int {
	n := otherwise
	if f.Limit != nil {
		n = *f.Limit
	}
	return int(min(max(n, 0), most))
}

// glob matches "*" against any characters, in time proportional to the product of both lengths at worst.
func glob(pattern, s string) bool {
	star, from := -1, 0
	p, i := 0, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, from = p, i
			p++
		case p < len(pattern) && pattern[p] == s[i]:
			p++
			i++
		case star >= 0:
			from++
			p, i = star+1, from
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
