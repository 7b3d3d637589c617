package clientapi

import (
	"net/http"

	"hearth/homeserver/account"
	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/wire"
)

func (a *API) listJoinedRoomsRoutes(m *wire.Mux) {
	m.Handle("GET /_matrix/client/v3/joined_rooms", a.authed(a.joinedRooms))
}

// spec: client-server-api#get_matrixclientv3joined_rooms
func (a *API) joinedRooms(w http.ResponseWriter, r *http.Request, s account.Session) error {
	var nums []store.RoomNum
	for m, err := range a.Store.Memberships(r.Context(), s.User) {
		if err != nil {
			return err
		}
		if m.Membership == "join" {
			nums = append(nums, m.Room)
		}
	}
	rooms, err := a.Store.RoomsByNum(r.Context(), nums...)
	if err != nil {
		return err
	}
	ids := make([]matrix.RoomID, 0, len(rooms))
	for _, room := range rooms {
		if room != nil && !room.Deleted {
			ids = append(ids, room.ID)
		}
	}
	return wire.Answer(w, map[string]any{"joined_rooms": ids})
}
