package clientsync

import (
	"encoding/json"
	"net/http"

	"hearth/homeserver/timeline"
	"hearth/matrix"
)

// filter is the specification's Filter.
// spec: client-server-api#post_matrixclientv3useruseridfilter
type filter struct {
	AccountData timeline.EventFilter `json:"account_data"`
	Presence    timeline.EventFilter `json:"presence"`
	EventFormat string               `json:"event_format"`
	EventFields []string             `json:"event_fields"`
	Room        roomFilter           `json:"room"`
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

func parseFilter(text []byte) (*filter, error) {
	f := new(filter)
	if len(text) == 0 {
		return f, nil
	}
	if err := json.Unmarshal(text, f); err != nil {
		return nil, matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "The filter is not valid: %s", err)
	}
	for _, part := range []*timeline.EventFilter{
		&f.AccountData, &f.Presence, &f.Room.AccountData, &f.Room.Ephemeral, &f.Room.State, &f.Room.Timeline,
	} {
		if err := part.Check(); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// selects reports whether the filter selects a room.
func (f *roomFilter) selects(id matrix.RoomID) bool {
	all := timeline.EventFilter{Rooms: f.Rooms, NotRooms: f.NotRooms}
	return all.Room(id)
}

func (f *roomFilter) lazy() bool { return f.State.LazyLoadMembers || f.Timeline.LazyLoadMembers }
