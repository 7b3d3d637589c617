package clientapi

import (
	"net/http"
	"net/netip"
	"time"

	"hearth/homeserver/account"
	"hearth/homeserver/ratelimit"
	"hearth/matrix"
)

// Limits are how often a user, a device or an address may ask.
type Limits struct {
	Messages      ratelimit.Rate `toml:"messages" doc:"Messages, state events and redactions that a user sends."`
	Joins         ratelimit.Rate `toml:"joins" doc:"Rooms that a user joins or knocks at."`
	Invites       ratelimit.Rate `toml:"invites" doc:"Invitations that a user sends, also those of a new room."`
	Rooms         ratelimit.Rate `toml:"rooms" doc:"Rooms that a user creates or upgrades."`
	Searches      ratelimit.Rate `toml:"searches" doc:"Searches of a user for rooms, people or messages."`
	Reports       ratelimit.Rate `toml:"reports" doc:"Reports of a user about what others wrote."`
	Passwords     ratelimit.Rate `toml:"passwords" doc:"Passwords tried for one account. A wrong one counts as five."`
	Logins        ratelimit.Rate `toml:"logins" doc:"Logins from one address. A failed one counts as five."`
	Registrations ratelimit.Rate `toml:"registrations" doc:"Requests to register from one address. To make one account takes two or three."`
	Requests      ratelimit.Rate `toml:"requests" doc:"All other requests of one device."`
	Strangers     ratelimit.Rate `toml:"strangers" doc:"All other requests without a login, from one address."`
}

// DefaultLimits are out of the way of people in a household or a club, and in that of programs that do nothing else.
func DefaultLimits() Limits {
	return Limits{
		Messages:      ratelimit.Rate{Every: time.Second / 10, Burst: 200},
		Joins:         ratelimit.Rate{Every: 5 * time.Second, Burst: 50},
		Invites:       ratelimit.Rate{Every: 2 * time.Second, Burst: 150},
		Rooms:         ratelimit.Rate{Every: 10 * time.Second, Burst: 30},
		Searches:      ratelimit.Rate{Every: time.Second / 5, Burst: 50},
		Reports:       ratelimit.Rate{Every: time.Minute, Burst: 10},
		Passwords:     ratelimit.Rate{Every: time.Second, Burst: 50},
		Logins:        ratelimit.Rate{Every: time.Second, Burst: 100},
		Registrations: ratelimit.Rate{Every: 6 * time.Second, Burst: 60},
		Requests:      ratelimit.Rate{Every: time.Second / 50, Burst: 1000},
		Strangers:     ratelimit.Rate{Every: time.Second / 20, Burst: 300},
	}
}

// How many users, devices or addresses a limit remembers, and what a failed login costs: it is taken when the login
// begins, so that nobody can try many passwords at the same moment, and most of it is given back if it succeeds.
const (
	maxUsers     = 4096
	maxAddresses = 16384
	loginCost    = 5
)

// limits are the limiters of an API, each nil if it has no limit. The zero value limits nothing.
type limits struct {
	proxies                                                        ratelimit.Proxies
	invites, passwords, logins, registrations, requests, strangers *ratelimit.Limiter
	byUser, byAddress                                              map[string]charge // by an endpoint's pattern
}

// charge is what a request takes.
type charge struct {
	from   *ratelimit.Limiter
	tokens int
}

func newLimits(l Limits, proxies ratelimit.Proxies, now func() time.Time) limits {
	users := func(r ratelimit.Rate) *ratelimit.Limiter { return ratelimit.New(r, maxUsers, now) }
	addresses := func(r ratelimit.Rate) *ratelimit.Limiter { return ratelimit.New(r, maxAddresses, now) }
	out := limits{
		proxies: proxies, invites: users(l.Invites), passwords: users(l.Passwords), logins: addresses(l.Logins),
		registrations: addresses(l.Registrations), requests: users(l.Requests), strangers: addresses(l.Strangers),
		byUser: make(map[string]charge), byAddress: make(map[string]charge),
	}
	for _, class := range []struct {
		limiter   *ratelimit.Limiter
		endpoints []string
	}{
		{users(l.Messages), []string{
			"PUT /_matrix/client/v3/rooms/{roomId}/send/{eventType}/{txnId}",
			"PUT /_matrix/client/v3/rooms/{roomId}/state/{eventType}",
			"PUT /_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}",
			"PUT /_matrix/client/v3/rooms/{roomId}/redact/{eventId}/{txnId}",
		}},
		{users(l.Joins), []string{
			"POST /_matrix/client/v3/rooms/{roomId}/join",
			"POST /_matrix/client/v3/join/{roomIdOrAlias}",
			"POST /_matrix/client/v3/knock/{roomIdOrAlias}",
		}},
		{users(l.Rooms), []string{
			"POST /_matrix/client/v3/createRoom",
			"POST /_matrix/client/v3/rooms/{roomId}/upgrade",
		}},
		{users(l.Searches), []string{
			"POST /_matrix/client/v3/publicRooms",
			"POST /_matrix/client/v3/user_directory/search",
			"GET /_matrix/client/v1/rooms/{roomId}/hierarchy",
			"GET /_matrix/client/v1/mutual_rooms",
			"POST /_matrix/client/v3/search",
		}},
		{users(l.Reports), []string{
			"POST /_matrix/client/v3/rooms/{roomId}/report/{eventId}",
			"POST /_matrix/client/v3/rooms/{roomId}/report",
			"POST /_matrix/client/v3/users/{userId}/report",
		}},
	} {
		for _, e := range class.endpoints {
			out.byUser[e] = charge{class.limiter, 1}
		}
	}
	out.byAddress["POST /_matrix/client/v3/login"] = charge{out.logins, loginCost}
	for _, e := range []string{
		"POST /_matrix/client/v3/register", // also without authentication: it takes a session's place
		"GET /_matrix/client/v3/register/available",
		getRegistrationTokenValidity,
		postFallback,
	} {
		out.byAddress[e] = charge{out.registrations, 1}
	}
	return out
}

// admit refuses a request whose address asks too often, before it is served. Who shows an access token is known by
// it, and limited once it is checked.
func (a *API) admit(r *http.Request) error {
	c, ok := a.limits.byAddress[r.Pattern]
	if !ok {
		if len(r.Header["Authorization"]) > 0 {
			return nil
		}
		c = charge{a.limits.strangers, 1}
	}
	return a.limits.takeAddress(c, a.clientAddress(r))
}

// clientAddress returns the address from which a request comes, the zero Addr if it has none.
func (a *API) clientAddress(r *http.Request) netip.Addr { return a.limits.proxies.Client(r) }

func (l *limits) takeAddress(c charge, address netip.Addr) error {
	if c.from == nil {
		return nil
	}
	return tooMany(c.from.Take(c.from.Address(address), c.tokens))
}

// session counts an authenticated request to an endpoint, or refuses it.
func (l *limits) session(pattern string, s account.Session) error {
	if c, ok := l.byUser[pattern]; ok {
		return tooMany(c.from.Take(c.from.Key(string(s.User)), c.tokens))
	}
	return tooMany(l.requests.Take(l.requests.Key(string(s.User), s.Device), 1))
}

// invite counts invitations of a user beside the request that they are in, or refuses them.
func (l *limits) invite(user matrix.UserID, n int) error {
	return tooMany(l.invites.Take(l.invites.Key(string(user)), n))
}

// loginSucceeded gives back what a login took that succeeded.
func (a *API) loginSucceeded(r *http.Request) {
	if l := a.limits.logins; l != nil {
		l.Give(l.Address(a.clientAddress(r)), loginCost-1)
	}
}

// tooMany is the error of those who must wait. Error: M_LIMIT_EXCEEDED (429).
// spec: client-server-api#rate-limiting
func tooMany(wait time.Duration) error {
	if wait <= 0 {
		return nil
	}
	return matrix.Errorf(http.StatusTooManyRequests, matrix.MLimitExceeded, "Too many requests: wait a little").With("retry_after_ms", wait.Milliseconds()+1)
}
