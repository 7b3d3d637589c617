package clientapi

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"

	"hearth/homeserver/account"
	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/event"
	"hearth/matrix/wire"
)

func (a *API) mutualRoomsRoutes(m *wire.Mux) {
	m.Handle("GET /_matrix/client/v1/mutual_rooms", a.authed(a.mutualRooms))
}

// mutualPage is how many rooms one answer has at most.
const mutualPage = 100

// spec: client-server-api#get_matrixclientv1mutual_rooms
func (a *API) mutualRooms(w http.ResponseWriter, r *http.Request, s account.Session) error {
	query, err := wire.Query(r)
	if err != nil {
		return err
	}
	if query.Get("user_id") == "" {
		return matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "user_id is missing")
	}
	user, err := matrix.ParseUserID(query.Get("user_id"))
	switch {
	case err != nil:
		return matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "%s", err)
	case !user.IsCompliant():
		return matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "%s is not an id as users have it today", user)
	case user == s.User:
		return matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "user_id is your own")
	}
	after, err := mutualToken(query.Get("from"))
	if err != nil {
		return err
	}
	rooms, err := a.sharedRooms(r, s.User, user)
	if err != nil {
		return err
	}
	answer := struct {
		Joined []matrix.RoomID `json:"joined"`
		Count  int             `json:"count"`
		Next   string          `json:"next_batch,omitempty"`
	}{Joined: []matrix.RoomID{}, Count: len(rooms)}
	first, _ := slices.BinarySearchFunc(rooms, after+1, func(room *store.Room, num store.RoomNum) int { return cmp.Compare(room.Num, num) })
	rooms = rooms[first:]
	for _, room := range rooms[:min(len(rooms), mutualPage)] {
		answer.Joined = append(answer.Joined, room.ID)
	}
	if len(rooms) > mutualPage {
		answer.Next = "m" + strconv.FormatUint(uint64(rooms[mutualPage-1].Num), 10)
	}
	return wire.Answer(w, answer)
}

// mutualToken reads a token, the number of the last room of a page: "m7".
func mutualToken(s string) (store.RoomNum, error) {
	if s == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(s[1:], 10, 64)
	if s[0] != 'm' || err != nil {
		return 0, matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "The token from was not made by this server")
	}
	return store.RoomNum(n), nil
}

// sharedRooms returns the rooms in which both users are, by number.
func (a *API) sharedRooms(r *http.Request, one, other matrix.UserID) ([]*store.Room, error) {
	mine, err := a.joinedNums(r, one)
	if err != nil {
		return nil, err
	}
	rooms, err := a.Store.RoomsByNum(r.Context(), mine...)
	if err != nil {
		return nil, err
	}
	rooms = slices.DeleteFunc(rooms, func(room *store.Room) bool { return room == nil || room.Deleted })
	if other.Server() == a.Settings.Server {
		theirs, err := a.joinedNums(r, other)
		if err != nil {
			return nil, err
		}
		return slices.DeleteFunc(rooms, func(room *store.Room) bool { _, found := slices.BinarySearch(theirs, room.Num); return !found }), nil
	}
	var both []*store.Room
	for _, room := range rooms {
		member, err := a.Store.StateEvents(r.Context(), room.Num, room.State, event.Key{Type: event.TypeMember, StateKey: string(other)})
		if err != nil {
			return nil, err
		}
		if member[0] != nil && member[0].Membership() == event.Join {
			both = append(both, room)
		}
	}
	return both, nil
}

// joinedNums returns the numbers of the rooms that a user of this server is in, in order.
func (a *API) joinedNums(r *http.Request, user matrix.UserID) ([]store.RoomNum, error) {
	var nums []store.RoomNum
	for m, err := range a.Store.Memberships(r.Context(), user) {
		if err != nil {
			return nil, err
		}
		if m.Membership == event.Join {
			nums = append(nums, m.Room)
		}
	}
	return nums, nil
}
