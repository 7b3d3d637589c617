package account

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"hearth/matrix"
)

func TestProfileFields(t *testing.T) {
	a := withAlice(t)
	for _, c := range []struct{ name, value, profile, code string }{
		{"displayname", `"Alice"`, `{"displayname":"Alice"}`, ""},
		{"avatar_url", `"mxc://here.example/abc"`, `{"avatar_url":"mxc://here.example/abc","displayname":"Alice"}`, ""},
		{"m.tz", `"Europe/London"`, `{"avatar_url":"mxc://here.example/abc","displayname":"Alice","m.tz":"Europe/London"}`, ""},
		{"avatar_url", `""`, `{"displayname":"Alice","m.tz":"Europe/London"}`, ""},
		{"m.tz", ``, `{"displayname":"Alice"}`, ""},
		{"m.tz", ``, `{"displayname":"Alice"}`, ""},
		{"org.example.x-1", `{"b": 1.50, "a": [null]}`, `{"displayname":"Alice","org.example.x-1":{"a":[null],"b":1.50}}`, ""},
		{"org.example.x-1", `null`, `{"displayname":"Alice","org.example.x-1":null}`, ""},
		{"displayname", `"\u0041\ud83d\ude00"`, `{"displayname":"A😀","org.example.x-1":null}`, ""},
		{"displayname", `1`, ``, matrix.MBadJSON},
		{"displayname", `null`, ``, matrix.MBadJSON},
		{"displayname", `"` + strings.Repeat("x", maxText+1) + `"`, ``, matrix.MInvalidParam},
		{"displayname", `"\ud800"`, ``, matrix.MBadJSON},
		{"avatar_url", `"https://here.example/a.png"`, ``, matrix.MInvalidParam},
		{"avatar_url", `"mxc://here.example"`, ``, matrix.MInvalidParam},
		{"avatar_url", `"mxc://here.example/a/b"`, ``, matrix.MInvalidParam},
		{"avatar_url", `"mxc:///a"`, ``, matrix.MInvalidParam},
		{"org.example.dup", `{"a":1,"a":2}`, ``, matrix.MBadJSON},
		{"org.example.big", `"` + strings.Repeat("x", 64<<10) + `"`, ``, matrix.MProfileTooLarge},
		{"org." + strings.Repeat("x", 252), `1`, ``, matrix.MKeyTooLarge},
		{"", `1`, ``, matrix.MInvalidParam},
		{"plain", `1`, ``, matrix.MInvalidParam},
		{"Org.example", `1`, ``, matrix.MInvalidParam},
		{".org", `1`, ``, matrix.MInvalidParam},
		{"org.exämple", `1`, ``, matrix.MInvalidParam},
	} {
		var value []byte
		if c.value != "" {
			value = []byte(c.value)
		}
		p, err := a.SetProfileField(t.Context(), alice, c.name, value)
		wantCode(t, err, c.code)
		if c.code == "" && string(p.JSON) != c.profile {
			t.Errorf("%s = %s gave %s, want %s", c.name, c.value, p.JSON, c.profile)
		}
	}
	p, err := a.Profile(t.Context(), alice)
	wantCode(t, err, "")
	if p.DisplayName != "A😀" || p.AvatarURL != "" || p.Empty() || string(p.Field("displayname")) != `"A😀"` || p.Field("m.tz") != nil {
		t.Errorf("read %+v", p)
	}
}

func TestNoProfile(t *testing.T) {
	a := withAlice(t)
	for _, user := range []matrix.UserID{alice, "@nobody:here.example", "@alice:there.example", ""} {
		if p, err := a.Profile(t.Context(), user); err != nil || !p.Empty() || string(p.JSON) != "{}" {
			t.Errorf("%s: %+v, %v", user, p, err)
		}
	}
}

// Two fields set at once are both there.
func TestProfileUpdatesAreNotLost(t *testing.T) {
	a := withAlice(t)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			if _, err := a.SetProfileField(t.Context(), alice, fmt.Sprint("org.field", i), []byte("1")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	p, err := a.Profile(t.Context(), alice)
	wantCode(t, err, "")
	var fields map[string]int
	if err := json.Unmarshal(p.JSON, &fields); err != nil || len(fields) != 16 {
		t.Errorf("%d fields are left: %v", len(fields), err)
	}
}

func FuzzProfileField(f *testing.F) {
	f.Add(`{"a":1}`, "org.example.x", `{"b":[1.5e3,"\u00e9"]}`)
	f.Add(`{}`, "displayname", `"x"`)
	f.Add(`{}`, "avatar_url", `"mxc://a/b"`)
	f.Fuzz(func(t *testing.T, obj, name, value string) {
		canonical, err := matrix.CanonicalLoose([]byte(obj))
		if err != nil || !matrix.IsObject(canonical) || !json.Valid([]byte(value)) {
			return
		}
		checked, err := checkField(name, []byte(value))
		if err != nil || checked == nil {
			return
		}
		out, err := replaceField(canonical, name, checked)
		if err != nil {
			return
		}
		if again, err := matrix.CanonicalLoose(out); err != nil || string(again) != string(out) {
			t.Errorf("the profile %s is not canonical: %v", out, err)
		}
		if newProfile(out).Field(name) == nil {
			t.Errorf("%q is not in %s", name, out)
		}
		back, err := replaceField(out, name, nil)
		if err != nil || newProfile(back).Field(name) != nil {
			t.Errorf("%q is still in %s: %v", name, back, err)
		}
	})
}
