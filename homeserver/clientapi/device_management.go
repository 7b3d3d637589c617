package clientapi

import (
	"net/http"

	"hearth/homeserver/account"
	"hearth/matrix"
	"hearth/matrix/wire"
)

func (a *API) deviceManagementRoutes(m *wire.Mux) {
	const device = "/_matrix/client/v3/devices/{deviceId}"
	m.Handle("GET /_matrix/client/v3/devices", a.authed(a.getDevices))
	m.Handle("GET "+device, a.authed(a.getDevice))
	m.Handle("PUT "+device, a.authed(a.putDevice))
	m.Handle("DELETE "+device, a.authed(a.deleteDevice))
	m.Handle("POST /_matrix/client/v3/delete_devices", a.authed(a.deleteDevices))
}

// clientDevice is a device as its user sees it.
type clientDevice struct {
	ID      string `json:"device_id"`
	Name    string `json:"display_name,omitempty"`
	Address string `json:"last_seen_ip,omitempty"`
	Seen    int64  `json:"last_seen_ts"`
}

func shownDevice(d *account.Device) clientDevice {
	return clientDevice{d.ID, d.Name, d.Address, d.Seen.UnixMilli()}
}

// spec: client-server-api#get_matrixclientv3devices
func (a *API) getDevices(w http.ResponseWriter, r *http.Request, s account.Session) error {
	devices, err := a.Accounts.Devices(r.Context(), s.User)
	if err != nil {
		return err
	}
	all := make([]clientDevice, len(devices))
	for i := range devices {
		all[i] = shownDevice(&devices[i])
	}
	return wire.Answer(w, map[string][]clientDevice{"devices": all})
}

// spec: client-server-api#get_matrixclientv3devicesdeviceid
func (a *API) getDevice(w http.ResponseWriter, r *http.Request, s account.Session) error {
	d, err := a.Accounts.Device(r.Context(), s.User, r.PathValue("deviceId"))
	if err != nil {
		return err
	}
	if d == nil {
		return account.ErrNoDevice()
	}
	return wire.Answer(w, shownDevice(d))
}

// spec: client-server-api#put_matrixclientv3devicesdeviceid
func (a *API) putDevice(w http.ResponseWriter, r *http.Request, s account.Session) error {
	var in struct {
		Name *string `json:"display_name"`
	}
	if err := wire.Read(w, r, maxBody, &in); err != nil {
		return err
	}
	d, err := a.Accounts.Device(r.Context(), s.User, r.PathValue("deviceId"))
	switch {
	case err != nil:
		return err
	case d == nil:
		return account.ErrNoDevice()
	case in.Name != nil:
		if err := a.Accounts.RenameDevice(r.Context(), s.User, d.ID, *in.Name); err != nil {
			return err
		}
	}
	return wire.Empty(w)
}

// spec: client-server-api#delete_matrixclientv3devicesdeviceid
func (a *API) deleteDevice(w http.ResponseWriter, r *http.Request, s account.Session) error {
	body, err := wire.ReadOptionalObject(w, r, maxBody)
	if err != nil {
		return err
	}
	device := r.PathValue("deviceId")
	user, err := a.confirm(w, r, body, s, "delete device "+device)
	if user == "" {
		return err
	}
	if _, err := a.LogOut(r.Context(), user, device); err != nil {
		return err
	}
	return wire.Empty(w)
}

// spec: client-server-api#post_matrixclientv3delete_devices
func (a *API) deleteDevices(w http.ResponseWriter, r *http.Request, s account.Session) error {
	body, err := wire.ReadObject(w, r, maxBody)
	if err != nil {
		return err
	}
	var in struct {
		Devices *[]string `json:"devices"`
	}
	if err := wire.Decode(body, &in); err != nil {
		return err
	}
	switch {
	case in.Devices == nil:
		return matrix.Errorf(http.StatusBadRequest, matrix.MMissingParam, "The devices are missing")
	case len(*in.Devices) > account.MaxDevices:
		return matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "You cannot have more than %d devices", account.MaxDevices)
	}
	user, err := a.confirm(w, r, body, s, "delete devices")
	if user == "" {
		return err
	}
	if len(*in.Devices) > 0 { // to name none is not to name all
		if _, err := a.LogOut(r.Context(), user, *in.Devices...); err != nil {
			return err
		}
	}
	return wire.Empty(w)
}
