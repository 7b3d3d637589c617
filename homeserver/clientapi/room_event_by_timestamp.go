package clientapi

import (
	"math"
	"net/http"

	"hearth/homeserver/account"
	"hearth/matrix"
	"hearth/matrix/wire"
)

func (a *API) roomEventByTimestampRoutes(m *wire.Mux) {
	m.Handle("GET /_matrix/client/v1/rooms/{roomId}/timestamp_to_event", a.authed(a.timestampToEvent))
}

// spec: client-server-api#get_matrixclientv1roomsroomidtimestamp_to_event
func (a *API) timestampToEvent(w http.ResponseWriter, r *http.Request, s account.Session) error {
	query, err := wire.Query(r)
	if err != nil {
		return err
	}
	if query.Get("ts") == "" {
		return matrix.Errorf(http.StatusBadRequest, matrix.MMissingParam, "ts is missing: milliseconds since 1970")
	}
	moment, err := wire.Int(query, "ts", 0, math.MinInt64, math.MaxInt64)
	if err != nil {
		return err
	}
	earlier, err := backward(r, true)
	if err != nil {
		return err
	}
	room, access, err := a.visibleRoom(r, s)
	if err != nil {
		return err
	}
	e, err := a.Timeline.Nearest(r.Context(), s.User, room, access, moment, earlier)
	if err != nil {
		return err
	}
	return wire.Answer(w, struct {
		ID   matrix.EventID `json:"event_id"`
		Time int64          `json:"origin_server_ts"`
	}{e.ID, e.Time})
}
