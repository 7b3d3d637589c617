package clientapi

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"net/http"
	"strconv"
	"time"

	"hearth/homeserver/account"
	"hearth/matrix/wire"
)

func (a *API) voipRoutes(m *wire.Mux) {
	m.Handle("GET /_matrix/client/v3/voip/turnServer", a.authed(a.getTurnServer))
}

// Turn is the TURN server by which clients reach each other for calls. With a secret, which is shared with that
// server, every client gets credentials of its own for a time; otherwise all get the same.
type Turn struct {
	URIs               []string
	Secret             string
	Username, Password string
	Lifetime           time.Duration
}

// spec: client-server-api#get_matrixclientv3voipturnserver
func (a *API) getTurnServer(w http.ResponseWriter, _ *http.Request, s account.Session) error {
	t := a.Settings.Turn
	if len(t.URIs) == 0 {
		// NOTSPEC: the specification does not say how a server answers that has no TURN server. Clients take this for
		// none; an error they would log, and ask again.
		return wire.Empty(w)
	}
	username, password := t.Username, t.Password
	if t.Secret != "" {
		username, password = turnCredentials(t.Secret, string(s.User), a.Now().Add(t.Lifetime))
	}
	return wire.Answer(w, map[string]any{
		"username": username, "password": password, "uris": t.URIs, "ttl": int64(t.Lifetime / time.Second),
	})
}

// turnCredentials returns what a TURN server accepts until a time from who shows that he knows the shared secret.
// The scheme is that of the expired draft-uberti-behave-turn-rest-00, which coturn and others implement.
func turnCredentials(secret, user string, until time.Time) (username, password string) {
	username = strconv.FormatInt(until.Unix(), 10) + ":" + user
	mac := hmac.New(sha1.New, []byte(secret))
	mac.Write([]byte(username))
	return username, base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
