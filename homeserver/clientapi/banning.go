package clientapi

import "hearth/matrix/wire"

func (a *API) banningRoutes(m *wire.Mux) {
	// spec: client-server-api#post_matrixclientv3roomsroomidban
	m.Handle("POST /_matrix/client/v3/rooms/{roomId}/ban", a.authed(a.changeOther("ban", nil, "")))
	// spec: client-server-api#post_matrixclientv3roomsroomidunban
	m.Handle("POST /_matrix/client/v3/rooms/{roomId}/unban", a.authed(
		a.changeOther("leave", []string{"ban"}, "The user is not banned")))
}
