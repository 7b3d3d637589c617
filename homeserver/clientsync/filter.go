package clientsync

import (
	"encoding/json"
	"net/http"
	"sync"

	"hearth/homeserver/timeline"
	"hearth/matrix"
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

func parseFilter(text []byte) (*filter, error) {
	f := new(filter)
	if len(text) == 0 {
		return f, nil
	}
	bad := func(format string, args ...any) error {
		return matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, format, args...)
	}
	if err := json.Unmarshal(text, f); err != nil {
		return nil, bad("The filter is not valid: %s", err)
	}
	for _, part := range []*timeline.EventFilter{
		&f.AccountData, &f.Presence, &f.Room.AccountData, &f.Room.Ephemeral, &f.Room.State, &f.Room.Timeline,
	} {
		if err := part.Check(); err != nil {
			return nil, err
		}
	}
	if f.EventFormat != "" && f.EventFormat != "client" && f.EventFormat != "federation" {
		return nil, bad("event_format must be client or federation")
	}
	if len(f.EventFields) > maxFields {
		return nil, bad("event_fields has at most %d items", maxFields)
	}
	for _, field := range f.EventFields {
		f.fields = append(f.fields, matrix.SplitPath(field))
	}
	return f, nil
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
