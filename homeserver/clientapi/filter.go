package clientapi

import (
	"net/http"

	"hearth/homeserver/account"
	"hearth/homeserver/timeline"
	"hearth/matrix"
	"hearth/matrix/wire"
)

func (a *API) filterRoutes(m *wire.Mux) {
	m.Handle("POST /_matrix/client/v3/user/{userId}/filter", a.authed(a.postFilter))
	m.Handle("GET /_matrix/client/v3/user/{userId}/filter/{filterId}", a.authed(a.getFilter))
}

// maxFilter is the largest filter that is kept, in bytes.
const maxFilter = 64 << 10

// spec: client-server-api#post_matrixclientv3useruseridfilter
func (a *API) postFilter(w http.ResponseWriter, r *http.Request, s account.Session) error {
	if err := self(r, s); err != nil {
		return err
	}
	body, err := wire.ReadObject(w, r, maxFilter)
	if err != nil {
		return err
	}
	if err := checkFilter(body); err != nil {
		return err
	}
	id, err := a.Accounts.PutFilter(r.Context(), s.User, body)
	if err != nil {
		return err
	}
	return wire.Answer(w, map[string]string{"filter_id": id})
}

// spec: client-server-api#get_matrixclientv3useruseridfilterfilterid
func (a *API) getFilter(w http.ResponseWriter, r *http.Request, s account.Session) error {
	if err := self(r, s); err != nil {
		return err
	}
	filter, err := a.Accounts.Filter(r.Context(), s.User, r.PathValue("filterId"))
	if err != nil {
		return err
	}
	if filter == nil {
		return matrix.Errorf(http.StatusNotFound, matrix.MNotFound, "There is no such filter")
	}
	return wire.Raw(w, filter)
}

// syncFilter is a filter, as far as it must be checked before it is kept.
type syncFilter struct {
	EventFields []string             `json:"event_fields"`
	EventFormat string               `json:"event_format"`
	Presence    timeline.EventFilter `json:"presence"`
	AccountData timeline.EventFilter `json:"account_data"`
	Room        struct {
		Rooms        []matrix.RoomID      `json:"rooms"`
		NotRooms     []matrix.RoomID      `json:"not_rooms"`
		IncludeLeave bool                 `json:"include_leave"`
		Ephemeral    timeline.EventFilter `json:"ephemeral"`
		State        timeline.EventFilter `json:"state"`
		Timeline     timeline.EventFilter `json:"timeline"`
		AccountData  timeline.EventFilter `json:"account_data"`
	} `json:"room"`
}

// checkFilter refuses what is not a filter. Errors: M_BAD_JSON, M_INVALID_PARAM (both 400).
func checkFilter(body []byte) error {
	var f syncFilter
	if err := wire.Decode(body, &f); err != nil {
		return err
	}
	switch f.EventFormat {
	case "", "client", "federation":
	default:
		return matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "\"event_format\" is client or federation")
	}
	room := &f.Room
	if err := checkIDs(matrix.ParseRoomID, room.Rooms, room.NotRooms); err != nil {
		return err
	}
	for _, e := range []*timeline.EventFilter{&f.Presence, &f.AccountData, &room.Ephemeral, &room.State, &room.Timeline, &room.AccountData} {
		if err := checkEventFilter(e); err != nil {
			return err
		}
	}
	return nil
}

func checkEventFilter(e *timeline.EventFilter) error {
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
