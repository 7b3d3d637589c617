package clientapi

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"hearth/homeserver/ratelimit"
	"hearth/matrix"
	"hearth/matrix/wire"
)

func TestDevices(t *testing.T) {
	ts := newServer(t)
	ts.register("bob")
	alice := ts.register("alice")
	phone := ts.login("alice", "PHONE")
	ts.want(phone, "PUT", v3+"/devices/PHONE", `{"display_name":"My phone"}`, 200, "")
	ts.want(phone, "PUT", v3+"/devices/PHONE", `{}`, 200, "")
	ts.clock.pass(time.Hour)
	before := ts.clock.Now()
	ts.want(phone, "GET", v3+"/account/whoami", "", 200, "")
	all, err := alice.Devices(t.Context())
	must(t, err)
	if len(all) != 2 {
		t.Fatalf("alice has %+v", all)
	}
	var one wire.Device
	must(t, alice.Do(t.Context(), "GET", v3+"/devices/PHONE", nil, nil, &one))
	if one.ID != "PHONE" || one.Name != "My phone" || one.Address != "127.0.0.1" || one.LastSeen < before.UnixMilli() {
		t.Errorf("the phone is %+v", one)
	}
	for _, method := range []string{"GET", "PUT"} {
		ts.want(alice, method, v3+"/devices/NONE", `{"display_name":"x"}`, 404, matrix.MNotFound)
	}
	ts.want(alice, "PUT", v3+"/devices/PHONE", `{"display_name":"`+strings.Repeat("x", 1001)+`"}`, 400, matrix.MTooLarge)
	ts.want(alice, "PUT", v3+"/devices/PHONE", `{"display_name":1}`, 400, matrix.MBadJSON)
}

func TestDeleteDevices(t *testing.T) {
	ts := newServer(t)
	alice := ts.register("alice")
	one, two, three := ts.login("alice", "ONE"), ts.login("alice", "TWO"), ts.login("alice", "THREE")
	ts.want(alice, "DELETE", v3+"/devices/ONE", "", 401, "")
	must(t, alice.WithPassword(t.Context(), "DELETE", v3+"/devices/ONE", password, nil, nil))
	must(t, alice.WithPassword(t.Context(), "DELETE", v3+"/devices/ONE", password, nil, nil))
	ts.want(one, "GET", v3+"/account/whoami", "", 401, matrix.MUnknownToken)
	ts.want(two, "GET", v3+"/account/whoami", "", 200, "")
	wantError(t, alice.DeleteDevices(t.Context(), "wrong", "TWO", "NONE", three.Device), 401, matrix.MForbidden)
	must(t, alice.DeleteDevices(t.Context(), password, "TWO", "NONE", three.Device))
	left, err := alice.Devices(t.Context())
	must(t, err)
	if len(left) != 1 || left[0].ID != alice.Device {
		t.Errorf("left: %+v", left)
	}
	must(t, alice.WithPassword(t.Context(), "POST", v3+"/delete_devices", password, map[string]any{"devices": []string{}}, nil))
	ts.want(alice, "GET", v3+"/account/whoami", "", 200, "")
	ts.want(alice, "POST", v3+"/delete_devices", `{}`, 400, matrix.MMissingParam)
	ts.want(alice, "POST", v3+"/delete_devices", `{"devices":"x"}`, 400, matrix.MBadJSON)
	ts.want(alice, "POST", v3+"/delete_devices", `{"devices":["`+strings.Repeat(`","`, 1000)+`"]}`, 400, matrix.MInvalidParam)
	must(t, alice.WithPassword(t.Context(), "DELETE", v3+"/devices/"+alice.Device, password, nil, nil))
	ts.want(alice, "GET", v3+"/account/whoami", "", 401, matrix.MUnknownToken)
}

// Threat 10: what was confirmed for one device removes no other.
func TestDeleteDeviceIsForThatDevice(t *testing.T) {
	ts := newServer(t)
	alice := ts.register("alice")
	ts.login("alice", "ONE")
	session := sessionOf(ts.want(alice, "DELETE", v3+"/devices/NONE", "{}", 401, ""))
	auth := `{"auth":{"type":"m.login.password","user":"alice","password":"` + password + `","session":"` + session + `"}}`
	ts.want(alice, "DELETE", v3+"/devices/ONE", auth, 401, matrix.MForbidden)
	ts.want(alice, "GET", v3+"/devices/ONE", "", 200, "")
}

// Threat 10: only a proxy that is trusted says where a request comes from.
func TestSpoofedAddress(t *testing.T) {
	for _, c := range []struct {
		trusted []string
		want    string
	}{
		{nil, "127.0.0.1"},
		{[]string{"127.0.0.1"}, "192.0.2.9"},
	} {
		proxies, err := ratelimit.ParseProxies(c.trusted)
		must(t, err)
		ts := newServer(t, func(s *Settings) { s.Proxies = proxies })
		alice := ts.register("alice")
		r, err := http.NewRequestWithContext(t.Context(), "GET", ts.base+v3+"/account/whoami", nil)
		must(t, err)
		r.Header.Set("Authorization", "Bearer "+alice.Token)
		r.Header.Set("X-Forwarded-For", "192.0.2.9")
		w, err := ts.http.Do(r)
		must(t, err)
		w.Body.Close()
		d, err := ts.api.Accounts.Device(t.Context(), alice.User, alice.Device)
		must(t, err)
		if d.Address != c.want {
			t.Errorf("trusting %v: seen at %q, want %q", c.trusted, d.Address, c.want)
		}
	}
}
