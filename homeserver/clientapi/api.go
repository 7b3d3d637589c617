// Package clientapi serves the Client-Server API: one file for each file of the specification's API definitions.
package clientapi

import (
	"log/slog"
	"net/http"
	"time"

	"hearth/homeserver/account"
	"hearth/homeserver/clientsync"
	"hearth/homeserver/directory"
	"hearth/homeserver/e2ee"
	"hearth/homeserver/notice"
	"hearth/homeserver/presence"
	"hearth/homeserver/push"
	"hearth/homeserver/ratelimit"
	"hearth/homeserver/report"
	"hearth/homeserver/room"
	"hearth/homeserver/search"
	"hearth/homeserver/store"
	"hearth/homeserver/timeline"
	"hearth/matrix"
	"hearth/matrix/wire"
)

// maxBody is the largest request body that an endpoint reads unless it says otherwise, in bytes: enough for an
// event of 64 KiB that is written with escapes.
const maxBody = 256 << 10

// Settings are what the owner decides about the API.
type Settings struct {
	Server             matrix.ServerName
	PublicURL          string            // of the client API, for .well-known; "" leaves the document out
	Open               bool              // anybody may register
	Invited            bool              // who has a registration token may register, also if not anybody may
	Terms              Terms             // what people must accept to register; the zero value for nothing
	LoginTokens        bool              // a device may let another one log in
	Support            Support           // whom people may ask for help
	RegistrationSecret string            // of /_synapse/admin/v1/register; "" turns it off
	Limits             Limits            // the zero value limits nothing
	Proxies            ratelimit.Proxies // whose X-Forwarded-For is believed
	Turn               Turn              // the zero value is none
	SearchAllUsers     bool              // a search for users finds all of this server
	ForgetOnLeave      bool              // rooms are forgotten by who leaves them, as room.Options says
	EncryptRooms       bool              // new rooms that are not public are encrypted
}

// API serves the Client-Server API from the packages below it.
type API struct {
	Settings  Settings
	Store     *store.Store
	Accounts  *account.Accounts
	Rooms     *room.Rooms
	Timeline  *timeline.Timeline
	Directory *directory.Directory
	People    *directory.People
	E2EE      *e2ee.E2EE
	Push      *push.Push
	Presence  *presence.Tracker // nil: presence is off
	Search    *search.Index
	Sync      *clientsync.Syncer
	Reports   *report.Reports
	Notices   *notice.Notices // nil for none
	Log       *slog.Logger
	Now       func() time.Time

	interactive interactive
	limits      limits
}

// Handler returns the API as one handler. It is called once.
func (a *API) Handler() http.Handler { return a.mux() }

func (a *API) mux() *wire.Mux {
	a.limits = newLimits(a.Settings.Limits, a.Settings.Proxies, a.Now)
	m := &wire.Mux{
		CORS: true, Admit: a.admit, Failed: a.failed,
		// What clients of before version 1.1 call is the same by another name.
		Aliases: map[string]string{"/_matrix/client/r0/": "/_matrix/client/v3/"},
	}
	for _, routes := range []func(*wire.Mux){
		a.versionsRoutes, a.wellknownRoutes, a.capabilitiesRoutes,
		a.registrationRoutes, a.registrationTokensRoutes, a.fallbackRoutes, a.loginRoutes, a.loginFallbackRoutes, a.loginTokenRoutes, a.refreshRoutes, a.ssoLoginRedirectRoutes,
		a.oauthServerMetadataRoutes, a.logoutRoutes, a.whoamiRoutes, a.passwordManagementRoutes,
		a.accountDeactivationRoutes, a.deviceManagementRoutes, a.administrativeContactRoutes, a.openidRoutes, a.supportRoutes,
		a.adminRegisterRoutes,
		a.profileRoutes, a.filterRoutes, a.accountDataRoutes, a.tagsRoutes, a.pushrulesRoutes,
		a.createRoomRoutes, a.invitingRoutes, a.joiningRoutes, a.knockingRoutes, a.roomUpgradesRoutes, a.leavingRoutes, a.kickingRoutes, a.banningRoutes,
		a.listJoinedRoomsRoutes, a.roomSendRoutes, a.roomStateRoutes, a.redactionRoutes,
		a.roomsRoutes, a.messagePaginationRoutes, a.eventContextRoutes, a.relationsRoutes,
		a.syncRoutes, a.presenceRoutes, a.directoryRoutes, a.roomVisibilityRoutes, a.typingRoutes, a.receiptsRoutes, a.readMarkersRoutes, a.toDeviceRoutes,
		a.pusherRoutes, a.notificationsRoutes, a.searchRoutes,
		a.adminRoutes, a.reportContentRoutes, a.thirdPartyLookupRoutes, a.voipRoutes,
		a.threadsListRoutes, a.roomSummaryRoutes, a.spaceHierarchyRoutes, a.mutualRoomsRoutes, a.roomEventByTimestampRoutes,
		a.usersRoutes, a.roomInitialSyncRoutes, a.peekingEventsRoutes, a.oldSyncRoutes,
	} {
		routes(m)
	}
	return m
}

func (a *API) failed(r *http.Request, err error) {
	if r.Context().Err() != nil {
		return // the client is gone, and with it who wanted the answer
	}
	a.Log.Error("request failed", "method", r.Method, "endpoint", r.Pattern, "err", err)
}
