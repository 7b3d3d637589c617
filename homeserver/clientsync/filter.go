package clientsync

import (
	"encoding/json"
	"net/http"
	"sync"
	"unicode/utf8"

	"hearth/homeserver/timeline"
	"hearth/matrix"
	"hearth/matrix/wire"
)

// filter is the specification's Filter. It is not changed once parsed.
// spec: client-server-api#post_matrixclientv3useruseridfilter
type filter struct {
	AccountData timeline.EventFilter `json:"account_data"`
	Presence    timeline.EventFilter `json:"presence"`
	EventFormat string               `json:"event_format"`
	EventFields []string             `json:"event_fields"`
	Room        roomFilter           `json:"room"`

	fields [][]string // EventFields as paths
}

type roomFilter struct {
	Rooms        *[]matrix.RoomID     `json:"rooms"`
	NotRooms     []matrix.RoomID      `json:"not_rooms"`
	IncludeLeave bool                 `json:"include_leave"`
	AccountData  timeline.EventFilter `json:"account_data"`
	Ephemeral    timeline.EventFilter `json:"ephemeral"`
	State        timeline.EventFilter `json:"state"`
	Timeline     timeline.EventFilter `json:"timeline"`
}

// maxFields bounds a filter's event_fields.
const maxFields = 200

// CheckFilter refuses what is not a filter.
//
// Errors, all 400: M_NOT_JSON, M_BAD_JSON for a part of another shape, M_INVALID_PARAM for one with a value that cannot
// be.
func CheckFilter(text []byte) error {
	_, err := parseFilter(text)
	return err
}

func parseFilter(text []byte) (*filter, error) {
	f := new(filter)
	if len(text) == 0 {
		return f, nil
	}
	if !json.Valid(text) || !utf8.Valid(text) {
		return nil, matrix.Errorf(http.StatusBadRequest, matrix.MNotJSON, "The filter is not valid JSON")
	}
	if err := wire.Decode(text, f); err != nil {
		return nil, err
	}
	if err := checkIDs(matrix.ParseRoomID, all(f.Room.Rooms), f.Room.NotRooms); err != nil {
		return nil, err
	}
	for _, part := range []*timeline.EventFilter{
		&f.AccountData, &f.Presence, &f.Room.AccountData, &f.Room.Ephemeral, &f.Room.State, &f.Room.Timeline,
	} {
		if err := checkPart(part); err != nil {
			return nil, err
		}
	}
	if f.EventFormat != "" && f.EventFormat != "client" && f.EventFormat != "federation" {
		return nil, matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "event_format must be client or federation")
	}
	if len(f.EventFields) > maxFields {
		return nil, matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "event_fields has at most %d items", maxFields)
	}
	for _, field := range f.EventFields {
		f.fields = append(f.fields, matrix.SplitPath(field))
	}
	return f, nil
}

func checkPart(e *timeline.EventFilter) error {
	if err := e.Check(); err != nil {
		return err
	}
	if e.Limit != nil && *e.Limit < 0 {
		return matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "A limit is not negative")
	}
	if err := checkIDs(matrix.ParseRoomID, all(e.Rooms), e.NotRooms); err != nil {
		return err
	}
	return checkIDs(matrix.ParseUserID, all(e.Senders), e.NotSenders, e.RelatedBySenders)
}

func all[T any](list *[]T) []T {
	if list == nil {
		return nil
	}
	return *list
}

func checkIDs[T ~string](parse func(string) (T, error), lists ...[]T) error {
	for _, list := range lists {
		for _, id := range list {
			if _, err := parse(string(id)); err != nil {
				return err
			}
		}
	}
	return nil
}

// selects reports whether the filter selects a room.
func (f *roomFilter) selects(id matrix.RoomID) bool {
	all := timeline.EventFilter{Rooms: f.Rooms, NotRooms: f.NotRooms}
	return all.Room(id)
}

// lazy reports whether members are sent only as they are needed. Clients ask for it in the state part, and some in
// the timeline's.
func (f *roomFilter) lazy() bool { return f.State.LazyLoadMembers || f.Timeline.LazyLoadMembers }

// filters remembers parsed filters, since clients use one for thousands of requests.
type filters struct {
	mu     sync.Mutex // guards parsed
	parsed map[string]*filter
}

const (
	maxFilters    = 256
	maxFilterText = 4 << 10 // bytes of a filter that is remembered
)

func newFilters() *filters { return &filters{parsed: make(map[string]*filter)} }

// parse returns the filter that a text is; the same one as long as it is remembered.
func (fs *filters) parse(text []byte) (*filter, error) {
	fs.mu.Lock()
	f := fs.parsed[string(text)]
	fs.mu.Unlock()
	if f != nil {
		return f, nil
	}
	f, err := parseFilter(text)
	if err != nil || len(text) > maxFilterText {
		return f, err
	}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if have := fs.parsed[string(text)]; have != nil {
		return have, nil
	}
	if len(fs.parsed) >= maxFilters {
		for old := range fs.parsed { // any one
			delete(fs.parsed, old)
			break
		}
	}
	fs.parsed[string(text)] = f
	return f, nil
}
