package clientapi

import (
	"net/http"

	"hearth/homeserver/account"
	"hearth/matrix"
	"hearth/matrix/wire"
)

func (a *API) capabilitiesRoutes(m *wire.Mux) {
	m.Handle("GET /_matrix/client/v3/capabilities", a.authed(a.getCapabilities))
}

// spec: client-server-api#get_matrixclientv3capabilities
func (a *API) getCapabilities(w http.ResponseWriter, r *http.Request, s account.Session) error {
	password, err := a.Accounts.HasPassword(r.Context(), s.User)
	if err != nil {
		return err
	}
	enabled := func(b bool) map[string]bool { return map[string]bool{"enabled": b} }
	available := make(map[matrix.Version]string)
	for _, v := range matrix.Versions() {
		available[v.Version] = "unstable"
		if v.Stable {
			available[v.Version] = "stable"
		}
	}
	all := map[string]any{
		"m.room_versions":            map[string]any{"default": matrix.DefaultVersion, "available": available},
		"m.profile_fields":           enabled(true),
		"m.set_displayname":          enabled(true),
		"m.set_avatar_url":           enabled(true),
		"m.change_password":          enabled(password),
		"m.3pid_changes":             enabled(false),
		"m.get_login_token":          enabled(a.Settings.LoginTokens),
		"m.forget_forced_upon_leave": enabled(a.Settings.ForgetOnLeave),
	}
	admin, err := a.Accounts.IsAdmin(r.Context(), s.User)
	if err != nil {
		return err
	}
	if admin { // spec: client-server-api#maccount_moderation-capability: left out for others
		all["m.account_moderation"] = map[string]bool{"lock": true, "suspend": true}
	}
	return wire.Answer(w, map[string]any{"capabilities": all})
}
