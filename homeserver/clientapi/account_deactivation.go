package clientapi

import (
	"context"
	"errors"
	"net/http"
	"time"

	"hearth/homeserver/account"
	"hearth/homeserver/room"
	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/event"
	"hearth/matrix/wire"
)

func (a *API) accountDeactivationRoutes(m *wire.Mux) {
	m.Handle("POST /_matrix/client/v3/account/deactivate", a.authedOrNot(a.deactivate))
}

// deactivate ends the account of who knows its password. When it answers the account cannot be used any more; its
// rooms are left, and what is kept of it removed, by FollowDepartures.
// spec: client-server-api#post_matrixclientv3accountdeactivate
func (a *API) deactivate(w http.ResponseWriter, r *http.Request, s account.Session) error {
	body, err := wire.ReadOptionalObject(w, r, maxBody)
	if err != nil {
		return err
	}
	var in struct {
		Erase bool `json:"erase"`
	}
	if err := wire.Decode(body, &in); err != nil {
		return err
	}
	user, err := a.confirm(w, r, body, s, "deactivate the account")
	if user == "" {
		return err
	}
	if err := a.Accounts.Deactivate(r.Context(), user, in.Erase); err != nil {
		return err
	}
	// spec: success if the homeserver has no identifiers to unbind
	return wire.Raw(w, []byte(`{"id_server_unbind_result":"success"}`))
}

// departureRetry is how long after a failure departures are looked at again.
const departureRetry = time.Minute

// FollowDepartures removes what is kept of users and devices that are gone, until ctx ends. What it has not finished
// then, or when the program is killed, it goes on with when it is called again.
func (a *API) FollowDepartures(ctx context.Context) {
	for {
		var retry <-chan time.Time
		if err := a.depart(ctx); err != nil && ctx.Err() == nil {
			a.Log.Warn("removing what is left of users and devices that are gone", "err", err)
			timer := time.NewTimer(departureRetry)
			defer timer.Stop()
			retry = timer.C
		}
		select {
		case <-a.Accounts.Departures():
		case <-retry:
		case <-ctx.Done():
			return
		}
	}
}

// depart finishes all departures. One that fails does not hinder the others.
func (a *API) depart(ctx context.Context) error {
	var failed []error
	for d, err := range a.Accounts.Departing(ctx) {
		if err != nil {
			return errors.Join(append(failed, err)...)
		}
		if err := a.finish(ctx, d); err != nil {
			failed = append(failed, err)
		}
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(failed...)
}

func (a *API) finish(ctx context.Context, d account.Departure) error {
	if d.Device != "" {
		return a.finishDevice(ctx, d)
	}
	if err := a.forgetPresence(ctx, d.User); err != nil {
		return err
	}
	if err := a.leaveAll(ctx, d.User); err != nil {
		return err
	}
	if err := a.Push.Forget(ctx, d.User); err != nil {
		return err
	}
	return a.Accounts.Departed(ctx, d)
}

// finishDevice forgets a device, unless there is one of its name again: that began with nothing of the old one's.
func (a *API) finishDevice(ctx context.Context, d account.Departure) error {
	again, err := a.Accounts.Device(ctx, d.User, d.Device)
	if err != nil {
		return err
	}
	if again != nil {
		return a.Accounts.Departed(ctx, d)
	}
	return a.forgetDevices(ctx, d.User, []string{d.Device})
}

// leaveAll leaves the rooms of a user, and rejects the invitations. A room that refuses is left as it is.
func (a *API) leaveAll(ctx context.Context, user matrix.UserID) error {
	if err := a.Store.Settle(ctx); err != nil { // what the user joined just before is seen then
		return err
	}
	var nums []store.RoomNum
	for m, err := range a.Store.Memberships(ctx, user) {
		if err != nil {
			return err
		}
		if m.Membership == event.Join || m.Membership == event.Invite || m.Membership == event.Knock {
			nums = append(nums, m.Room)
		}
	}
	for _, num := range nums {
		rooms, err := a.Store.RoomsByNum(ctx, num)
		if err != nil {
			return err
		}
		if rooms[0] == nil || rooms[0].Deleted {
			continue
		}
		_, err = a.Rooms.SetMembership(ctx, rooms[0], room.Change{Sender: user, Target: user, Membership: event.Leave})
		if refused := new(matrix.Error); err != nil && !errors.As(err, &refused) {
			return err
		}
	}
	return nil
}
