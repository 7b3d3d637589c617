package administration

import (
	"context"
	"crypto/rand"
	"net/http"
	"slices"
	"strings"

	"hearth/homeserver/account"
	"hearth/matrix"
	"hearth/matrix/wire"
)

func (a *Administration) userRoutes(m *wire.Mux) {
	m.Handle("GET /admin/v1/users", a.getUsers)
	m.Handle("POST /admin/v1/users", a.postUser)
	m.Handle("GET /admin/v1/users/{user}", a.getUser)
	m.Handle("POST /admin/v1/users/{user}/password", a.postPassword)
	m.Handle("PUT /admin/v1/users/{user}/{state}", a.putState)
	m.Handle("POST /admin/v1/users/{user}/deactivate", a.postDeactivate)
	m.Handle("GET /admin/v1/users/{user}/devices", a.getDevices)
	m.Handle("POST /admin/v1/users/{user}/logout", a.postLogout)
}

// User is one account.
type User struct {
	ID          matrix.UserID `json:"id"`
	DisplayName string        `json:"display_name,omitempty"`
	Kind        string        `json:"kind,omitempty"` // "" for people, "bot" or "support"
	Made        int64         `json:"made"`
	Admin       bool          `json:"admin"`
	Locked      bool          `json:"locked"`
	Suspended   bool          `json:"suspended"`
	Deactivated bool          `json:"deactivated"`
	Erased      bool          `json:"erased"`
}

// Users is a page of users, by their ids.
type Users struct {
	Users []User        `json:"users"`
	Next  matrix.UserID `json:"next,omitempty"`
}

// NewUser is a user to create.
type NewUser struct {
	Name        string  `json:"name"`     // the localpart
	Password    *string `json:"password"` // without it one is generated
	DisplayName string  `json:"display_name"`
	Kind        string  `json:"kind"`
	Admin       bool    `json:"admin"`
}

// NewPassword replaces a password.
type NewPassword struct {
	Password     *string `json:"password"`      // without it one is generated
	KeepSessions bool    `json:"keep_sessions"` // otherwise all devices are logged out
}

// Created is a user with a new password, which is only there if it was generated: nobody else knows it.
type Created struct {
	ID       matrix.UserID `json:"id"`
	Password string        `json:"password,omitempty"`
}

// Device is one of a user's devices.
type Device struct {
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
	Made int64  `json:"made"`
	Seen int64  `json:"seen"`
	// Address is from where it was last seen, "" if that is not known.
	Address string `json:"address,omitempty"`
}

// Devices are a user's devices.
type Devices struct {
	Devices []Device `json:"devices"`
}

// LoggedOut are the devices that were logged out; in a request, those that are to be.
type LoggedOut struct {
	Devices []string `json:"devices"`
}

func (a *Administration) describe(ctx context.Context, u *account.User) (User, error) {
	p, err := a.Accounts.Profile(ctx, u.ID)
	return User{
		ID: u.ID, DisplayName: p.DisplayName, Kind: u.Kind, Made: u.Made.UnixMilli(), Admin: u.Admin,
		Locked: u.Locked, Suspended: u.Suspended, Deactivated: u.Deactivated, Erased: u.Erased,
	}, err
}

// states are what users can be chosen by.
func states() map[string]func(*account.User) bool {
	return map[string]func(*account.User) bool{
		"":            func(*account.User) bool { return true },
		"all":         func(*account.User) bool { return true },
		"active":      func(u *account.User) bool { return !u.Deactivated && !u.Locked },
		"admin":       func(u *account.User) bool { return u.Admin },
		"locked":      func(u *account.User) bool { return u.Locked },
		"suspended":   func(u *account.User) bool { return u.Suspended },
		"deactivated": func(u *account.User) bool { return u.Deactivated },
	}
}

func (a *Administration) getUsers(w http.ResponseWriter, r *http.Request) error {
	from, search, limit, err := page(r)
	if err != nil {
		return err
	}
	selects, ok := states()[r.URL.Query().Get("state")]
	if !ok {
		return matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "state is all, active, admin, locked, suspended or deactivated")
	}
	out := Users{Users: []User{}}
	for u, err := range a.Accounts.Users(r.Context(), matrix.UserID(from)) {
		if err != nil {
			return err
		}
		if !selects(u) || !strings.Contains(string(u.ID), search) {
			continue
		}
		if len(out.Users) == limit {
			out.Next = out.Users[limit-1].ID
			break
		}
		one, err := a.describe(r.Context(), u)
		if err != nil {
			return err
		}
		out.Users = append(out.Users, one)
	}
	return wire.Answer(w, out)
}

// user returns the user whom the path means by an id or a localpart. Error: M_NOT_FOUND (404).
func (a *Administration) user(r *http.Request) (*account.User, error) {
	return a.find(r.Context(), r.PathValue("user"))
}

func (a *Administration) find(ctx context.Context, name string) (*account.User, error) {
	id := matrix.UserID(name)
	if !strings.HasPrefix(name, "@") {
		id = matrix.UserID("@" + account.Fold(name) + ":" + string(a.Server))
	}
	u, err := a.Accounts.User(ctx, id)
	if err == nil && u == nil {
		err = matrix.Errorf(http.StatusNotFound, matrix.MNotFound, "There is no user %s on this server", id)
	}
	return u, err
}

func (a *Administration) answerUser(w http.ResponseWriter, r *http.Request, id matrix.UserID) error {
	u, err := a.find(r.Context(), string(id))
	if err != nil {
		return err
	}
	out, err := a.describe(r.Context(), u)
	if err != nil {
		return err
	}
	return wire.Answer(w, out)
}

func (a *Administration) getUser(w http.ResponseWriter, r *http.Request) error {
	u, err := a.user(r)
	if err != nil {
		return err
	}
	return a.answerUser(w, r, u.ID)
}

// orGenerated returns a password, and the same again if it was generated.
func orGenerated(given *string) (password, generated string, err error) {
	if given != nil {
		return *given, "", account.CheckNewPassword(*given)
	}
	generated = strings.ToLower(rand.Text())
	return generated, generated, nil
}

func (a *Administration) postUser(w http.ResponseWriter, r *http.Request) error {
	var q NewUser
	if err := wire.Read(w, r, maxBody, &q); err != nil {
		return err
	}
	if q.Name == "" {
		return matrix.Errorf(http.StatusBadRequest, matrix.MMissingParam, "A name is needed")
	}
	if !slices.Contains([]string{"", "bot", "support"}, q.Kind) {
		return matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "kind is bot, support or nothing")
	}
	password, generated, err := orGenerated(q.Password)
	if err != nil {
		return err
	}
	id, err := a.Accounts.Create(r.Context(), q.Name, password, account.NewUser{Admin: q.Admin, Kind: q.Kind, DisplayName: q.DisplayName})
	if err != nil {
		return err
	}
	return wire.Answer(w, Created{id, generated})
}

func (a *Administration) postPassword(w http.ResponseWriter, r *http.Request) error {
	var q NewPassword
	if err := wire.Read(w, r, maxBody, &q); err != nil {
		return err
	}
	u, err := a.user(r)
	if err != nil {
		return err
	}
	if u.Deactivated {
		return errGone(u)
	}
	password, generated, err := orGenerated(q.Password)
	if err != nil {
		return err
	}
	if err := a.Accounts.SetPassword(r.Context(), u.ID, password); err != nil {
		return err
	}
	if !q.KeepSessions {
		if _, err := a.LogOut(r.Context(), u.ID); err != nil {
			return err
		}
	}
	return wire.Answer(w, Created{u.ID, generated})
}

func errGone(u *account.User) error {
	return matrix.Errorf(http.StatusBadRequest, matrix.MUserDeactivated, "%s is deactivated, and cannot come back", u.ID)
}

func (a *Administration) putState(w http.ResponseWriter, r *http.Request) error {
	set, ok := map[string]func(context.Context, matrix.UserID, bool) error{
		"admin": a.Accounts.SetAdmin, "locked": a.Accounts.SetLocked, "suspended": a.Accounts.SetSuspended,
	}[r.PathValue("state")]
	if !ok {
		return matrix.Errorf(http.StatusNotFound, matrix.MUnrecognized, "A user is admin, locked or suspended")
	}
	var q struct {
		On *bool `json:"on"`
	}
	if err := wire.Read(w, r, maxBody, &q); err != nil {
		return err
	}
	if q.On == nil {
		return matrix.Errorf(http.StatusBadRequest, matrix.MMissingParam, "on is missing")
	}
	u, err := a.user(r)
	if err != nil {
		return err
	}
	if u.Deactivated {
		return errGone(u)
	}
	if err := set(r.Context(), u.ID, *q.On); err != nil {
		return err
	}
	return a.answerUser(w, r, u.ID)
}

func (a *Administration) postDeactivate(w http.ResponseWriter, r *http.Request) error {
	var q struct {
		Erase bool `json:"erase"`
	}
	if err := wire.ReadOptional(w, r, maxBody, &q); err != nil {
		return err
	}
	u, err := a.user(r)
	if err != nil {
		return err
	}
	if err := a.Accounts.Deactivate(r.Context(), u.ID, q.Erase); err != nil {
		return err
	}
	return a.answerUser(w, r, u.ID)
}

func (a *Administration) getDevices(w http.ResponseWriter, r *http.Request) error {
	u, err := a.user(r)
	if err != nil {
		return err
	}
	devices, err := a.Accounts.Devices(r.Context(), u.ID)
	if err != nil {
		return err
	}
	out := Devices{Devices: []Device{}}
	for _, d := range devices {
		out.Devices = append(out.Devices, Device{ID: d.ID, Name: d.Name, Made: d.Made.UnixMilli(), Seen: d.Seen.UnixMilli(), Address: d.Address})
	}
	return wire.Answer(w, out)
}

func (a *Administration) postLogout(w http.ResponseWriter, r *http.Request) error {
	var q LoggedOut
	if err := wire.ReadOptional(w, r, maxBody, &q); err != nil {
		return err
	}
	u, err := a.user(r)
	if err != nil {
		return err
	}
	for _, id := range q.Devices {
		d, err := a.Accounts.Device(r.Context(), u.ID, id)
		if err != nil {
			return err
		}
		if d == nil {
			return matrix.Errorf(http.StatusNotFound, matrix.MNotFound, "%s has no device %q", u.ID, id)
		}
	}
	out := LoggedOut{Devices: []string{}}
	gone, err := a.LogOut(r.Context(), u.ID, q.Devices...)
	if err != nil {
		return err
	}
	out.Devices = append(out.Devices, gone...)
	return wire.Answer(w, out)
}
