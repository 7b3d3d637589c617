package clientapi

import (
	"net/http"

	"hearth/homeserver/account"
	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/wire"
)

func (a *API) accountDataRoutes(m *wire.Mux) {
	const global = "/_matrix/client/v3/user/{userId}/account_data/{type}"
	const inRoom = "/_matrix/client/v3/user/{userId}/rooms/{roomId}/account_data/{type}"
	m.Handle("PUT "+global, a.authed(a.putAccountData))
	m.Handle("GET "+global, a.authed(a.getAccountData))
	m.Handle("PUT "+inRoom, a.authed(a.putRoomAccountData))
	m.Handle("GET "+inRoom, a.authed(a.getRoomAccountData))
}

// spec: client-server-api#put_matrixclientv3useruseridaccount_datatype
func (a *API) putAccountData(w http.ResponseWriter, r *http.Request, s account.Session) error {
	return a.writeAccountData(w, r, s, 0)
}

// spec: client-server-api#get_matrixclientv3useruseridaccount_datatype
func (a *API) getAccountData(w http.ResponseWriter, r *http.Request, s account.Session) error {
	return a.readAccountData(w, r, s, 0)
}

// spec: client-server-api#put_matrixclientv3useruseridroomsroomidaccount_datatype
func (a *API) putRoomAccountData(w http.ResponseWriter, r *http.Request, s account.Session) error {
	room, err := a.roomOfData(r, s)
	if err != nil {
		return err
	}
	return a.writeAccountData(w, r, s, room)
}

// spec: client-server-api#get_matrixclientv3useruseridroomsroomidaccount_datatype
func (a *API) getRoomAccountData(w http.ResponseWriter, r *http.Request, s account.Session) error {
	if err := self(r, s); err != nil {
		return err
	}
	room, err := a.roomOfData(r, s)
	if hasCode(err, matrix.MForbidden) {
		return errNoData() // nobody has data of a room that they never had to do with
	}
	if err != nil {
		return err
	}
	return a.readAccountData(w, r, s, room)
}

// roomOfData returns the room of the path, which the user has, or had, something to do with.
func (a *API) roomOfData(r *http.Request, s account.Session) (store.RoomNum, error) {
	if err := self(r, s); err != nil {
		return 0, err
	}
	room, err := a.knownRoom(r)
	if err != nil {
		return 0, err
	}
	m, err := a.Store.Membership(r.Context(), s.User, room.Num)
	if err != nil {
		return 0, err
	}
	if m == nil {
		return 0, matrix.Errorf(http.StatusForbidden, matrix.MForbidden, "You are not in room %s", room.ID)
	}
	return room.Num, nil
}

func (a *API) writeAccountData(w http.ResponseWriter, r *http.Request, s account.Session, room store.RoomNum) error {
	if err := self(r, s); err != nil {
		return err
	}
	typ := r.PathValue("type")
	if typ == "m.fully_read" || typ == "m.push_rules" {
		// spec: client-server-api#client-config: they have endpoints of their own.
		return matrix.Errorf(http.StatusMethodNotAllowed, matrix.MBadJSON, "Cannot set %s through this API", typ)
	}
	content, err := wire.ReadObject(w, r, maxBody)
	if err != nil {
		return err
	}
	if _, err := a.Accounts.SetData(r.Context(), s.User, room, typ, content); err != nil {
		return err
	}
	return wire.Empty(w)
}

func (a *API) readAccountData(w http.ResponseWriter, r *http.Request, s account.Session, room store.RoomNum) error {
	if err := self(r, s); err != nil {
		return err
	}
	if room == 0 && r.PathValue("type") == "m.push_rules" {
		// spec: client-server-api#push-rules: account data that package push keeps.
		return a.getRules(w, r, s)
	}
	content, err := a.Accounts.Data(r.Context(), s.User, room, r.PathValue("type"))
	if err != nil {
		return err
	}
	if content == nil {
		return errNoData()
	}
	return wire.Raw(w, content)
}

func errNoData() error {
	return matrix.Errorf(http.StatusNotFound, matrix.MNotFound, "There is no account data of this type")
}
