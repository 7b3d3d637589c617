package clientapi

import "hearth/matrix/wire"

func (a *API) kickingRoutes(m *wire.Mux) {
	// spec: client-server-api#post_matrixclientv3roomsroomidkick
	m.Handle("POST /_matrix/client/v3/rooms/{roomId}/kick", a.authed(
		a.changeOther("leave", []string{"join", "invite", "knock"}, "The user is not in the room")))
}
