package clientapi

import (
	"testing"

	"hearth/matrix"
)

func TestCapabilities(t *testing.T) {
	ts := newServer(t)
	got := []byte(ts.want(ts.register("alice"), "GET", v3+"/capabilities", "", 200, ""))
	if v, _ := matrix.StringField(got, "capabilities", "m.room_versions", "default"); v != "12" {
		t.Errorf("the default room version is %q", v)
	}
	for _, v := range matrix.Versions() {
		if s, _ := matrix.StringField(got, "capabilities", "m.room_versions", "available", string(v.Version)); s != "stable" {
			t.Errorf("room version %s is %q", v.Version, s)
		}
	}
	for name, want := range map[string]bool{"m.profile_fields": true, "m.set_displayname": true, "m.get_login_token": false} {
		if on, ok := matrix.BoolField(got, "capabilities", name, "enabled"); !ok || on != want {
			t.Errorf("%s: %v, %v", name, on, ok)
		}
	}
}
