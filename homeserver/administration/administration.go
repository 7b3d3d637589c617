// Package administration serves the server's administrators over a local socket: HTTP with JSON.
//
// Who may connect is decided by the socket, so there are no tokens here. Errors have the form of Matrix's. A user is
// named by the id or its localpart, in a path segment; {} is an empty object. Lists are paged: an answer's next is what
// the next request's from is, and is absent from the last page.
//
//	GET    /admin/v1/users?from&limit&search&state     {"users": [User], "next": "@bob:x"}; state is all, active,
//	                                                   admin, locked, suspended or deactivated
//	POST   /admin/v1/users                             NewUser; the answer is Created
//	GET    /admin/v1/users/{user}                      User
//	POST   /admin/v1/users/{user}/password             NewPassword; the answer is Created
//	PUT    /admin/v1/users/{user}/{state}              {"on": true}; state is admin, locked or suspended; User
//	POST   /admin/v1/users/{user}/deactivate           {"erase": false}; User
//	GET    /admin/v1/users/{user}/devices              {"devices": [Device]}
//	POST   /admin/v1/users/{user}/logout               {"devices": ["ABC"]}, all without; {"devices": ["ABC"]}
//	GET    /admin/v1/tokens                            {"tokens": [Token]}
//	POST   /admin/v1/tokens                            Token, of which all may be left out; Token
//	PUT    /admin/v1/tokens/{token}                    TokenChange; Token
//	DELETE /admin/v1/tokens/{token}                    {}
//	GET    /admin/v1/rooms?from&limit&search&sort      {"rooms": [Room], "next": "20", "total": 34}; sort is members,
//	                                                   events, name or created
//	GET    /admin/v1/rooms/{room}                      RoomDetails
//	DELETE /admin/v1/rooms/{room}                      RoomDeletion, or nothing; RoomDeleted
//	PUT    /admin/v1/rooms/{room}/blocked              {"on": false}, of a room that was deleted; {}
//	GET    /admin/v1/deletions                         Deletions
//	GET    /admin/v1/reports?from&limit                {"reports": [Report], "next": "17", "total": 3}, newest first
//	GET    /admin/v1/reports/{id}                      ReportDetails
//	DELETE /admin/v1/reports/{id}                      {}
//	POST   /admin/v1/notices                           Notice; NoticeSent
//
// Times are milliseconds since 1970, 0 for none.
package administration

import (
	"context"
	"net/http"
	"strings"

	"hearth/homeserver/account"
	"hearth/homeserver/directory"
	"hearth/homeserver/notice"
	"hearth/homeserver/push"
	"hearth/homeserver/report"
	"hearth/homeserver/room"
	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/wire"
)

// maxBody is the largest request body, in bytes.
const maxBody = 256 << 10

// Administration serves administrators from the packages below it.
type Administration struct {
	Server    matrix.ServerName
	Store     *store.Store
	Accounts  *account.Accounts
	Rooms     *room.Rooms
	Directory *directory.Directory
	Push      *push.Push
	Reports   *report.Reports
	Notices   *notice.Notices
	// LogOut ends the sessions of devices of a user, of all devices if none is named, with all that is kept for them,
	// and returns which they were.
	LogOut func(ctx context.Context, user matrix.UserID, devices ...string) ([]string, error)
	Failed func(r *http.Request, err error) // is told of internal errors
}

// Handler returns the API as one handler.
func (a *Administration) Handler() http.Handler {
	m := &wire.Mux{Failed: a.Failed}
	for _, routes := range []func(*wire.Mux){a.userRoutes, a.tokenRoutes, a.roomRoutes, a.deletionRoutes, a.reportRoutes, a.noticeRoutes} {
		routes(m)
	}
	return m
}

// The sizes of pages.
const (
	defaultPage = 100
	maxPage     = 1000
)

// page reads what a request for a list says of the page it wants.
func page(r *http.Request) (from, search string, limit int, err error) {
	q, err := wire.Query(r)
	if err != nil {
		return "", "", 0, err
	}
	n, err := wire.Int(q, "limit", defaultPage, 1, maxPage)
	return q.Get("from"), strings.ToLower(q.Get("search")), int(n), err
}
