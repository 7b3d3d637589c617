package clientapi

import (
	"net/http"
	"strings"

	"hearth/homeserver/account"
	"hearth/homeserver/push"
	"hearth/matrix"
	"hearth/matrix/wire"
)

func (a *API) pusherRoutes(m *wire.Mux) {
	m.Handle("GET /_matrix/client/v3/pushers", a.authed(a.getPushers))
	m.Handle("POST /_matrix/client/v3/pushers/set", a.authed(a.setPusher))
}

// spec: client-server-api#get_matrixclientv3pushers
func (a *API) getPushers(w http.ResponseWriter, r *http.Request, s account.Session) error {
	pushers, err := a.Push.Pushers(r.Context(), s.User)
	if err != nil {
		return err
	}
	return wire.Answer(w, map[string][]push.Pusher{"pushers": pushers})
}

// spec: client-server-api#post_matrixclientv3pushersset
func (a *API) setPusher(w http.ResponseWriter, r *http.Request, s account.Session) error {
	body, err := wire.ReadObject(w, r, maxBody)
	if err != nil {
		return err
	}
	if err := needFields(body, "kind", "app_id", "pushkey"); err != nil {
		return err
	}
	var pusher push.Pusher
	var q struct {
		Kind   *string `json:"kind"`
		Append bool    `json:"append"`
	}
	if err := wire.Decode(body, &pusher); err != nil {
		return err
	}
	if err := wire.Decode(body, &q); err != nil {
		return err
	}
	if q.Kind == nil {
		if err := a.Push.DeletePusher(r.Context(), s.User, pusher.AppID, pusher.PushKey); err != nil {
			return err
		}
		return wire.Empty(w)
	}
	if err := needFields(body, "app_display_name", "device_display_name", "lang", "data"); err != nil {
		return err
	}
	if err := a.Push.SetPusher(r.Context(), s.User, s.Device, pusher, q.Append); err != nil {
		return err
	}
	return wire.Empty(w)
}

// needFields refuses an object that lacks one of these members.
func needFields(object []byte, names ...string) error {
	var missing []string
	for _, name := range names {
		if _, ok := matrix.Field(object, name); !ok {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return matrix.Errorf(http.StatusBadRequest, matrix.MMissingParam, "Missing parameters: %s", strings.Join(missing, ", "))
	}
	return nil
}
