package clientapi

import (
	"net/http"
	"strings"

	"hearth/homeserver/account"
	"hearth/homeserver/directory"
	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/event"
	"hearth/matrix/wire"
)

func (a *API) roomSummaryRoutes(m *wire.Mux) {
	m.Handle("GET /_matrix/client/v1/room_summary/{roomIdOrAlias}", a.authedOrNot(a.roomSummary))
}

// spec: client-server-api#get_matrixclientv1room_summaryroomidoralias
func (a *API) roomSummary(w http.ResponseWriter, r *http.Request, s account.Session) error {
	room, err := a.namedRoom(r)
	if err != nil {
		return err
	}
	summary, err := a.Directory.Summary(r.Context(), room)
	if err != nil {
		return err
	}
	if ok, err := a.Directory.MaySee(r.Context(), s.User, summary); err != nil {
		return err
	} else if !ok {
		return errNoRoom()
	}
	membership := ""
	if s.User != "" {
		m, err := a.Store.Membership(r.Context(), s.User, room.Num)
		if err != nil {
			return err
		}
		if membership = event.Leave; m != nil {
			membership = m.Membership
		}
	}
	out := wire.NewStream(w)
	out.Open('{')
	writeSummary(out, summary)
	writeStrings(out, [][2]string{{"membership", membership}})
	out.Close('}')
	return out.End()
}

func errNoRoom() error {
	return matrix.Errorf(http.StatusNotFound, matrix.MNotFound, "There is no such room, or you may not see it")
}

// namedRoom returns the room that the path names by its id or an alias. What this server does not know cannot be asked
// of the servers in via: it does not federate.
func (a *API) namedRoom(r *http.Request) (*store.Room, error) {
	name := r.PathValue("roomIdOrAlias")
	id, err := matrix.ParseRoomID(name)
	if strings.HasPrefix(name, "#") {
		alias, aliasErr := matrix.ParseRoomAlias(name)
		if aliasErr != nil {
			return nil, aliasErr
		}
		have, err := a.Directory.Resolve(r.Context(), alias)
		if err != nil {
			return nil, err
		}
		if have == nil {
			return nil, errNoRoom()
		}
		id = have.Room
	} else if err != nil {
		return nil, matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "%q is neither a room id nor an alias", name)
	}
	room, err := a.Store.RoomByID(r.Context(), id)
	if err == nil && (room == nil || room.Deleted) {
		err = errNoRoom()
	}
	return room, err
}

// writeSummary writes the members of a room's summary.
func writeSummary(out *wire.Stream, s *directory.Summary) {
	writePublished(out, s)
	writeStrings(out, [][2]string{{"encryption", s.Encryption}, {"room_version", string(s.Room.Version.Version)}})
	if len(s.Allowed) > 0 {
		out.Name("allowed_room_ids")
		out.Value(s.Allowed)
	}
}
