package clientapi

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"hearth/matrix"
)

const dummyAuth = `"auth":{"type":"m.login.dummy"}`

func TestRegister(t *testing.T) {
	ts := newServer(t)
	got := []byte(ts.want(ts.anonymous(), "POST", v3+"/register", `{"username":"Alice","password":"x","device_id":"PHONE","initial_device_display_name":"My phone",`+dummyAuth+`}`, 200, ""))
	user, _ := matrix.StringField(got, "user_id")
	device, _ := matrix.StringField(got, "device_id")
	server, _ := matrix.StringField(got, "home_server")
	token, _ := matrix.StringField(got, "access_token")
	if user != "@alice:here.example" || device != "PHONE" || server != "here.example" {
		t.Errorf("answered %s", got)
	}
	c := ts.anonymous()
	c.Token = token
	me, err := c.Whoami(t.Context())
	must(t, err)
	if me.UserID != "@alice:here.example" || me.DeviceID != "PHONE" {
		t.Errorf("the token is %+v's", me)
	}
	d, err := ts.api.Accounts.Device(t.Context(), "@alice:here.example", "PHONE")
	must(t, err)
	if d.Name != "My phone" {
		t.Errorf("the device is called %q", d.Name)
	}
}

func TestRegisterThroughOurClient(t *testing.T) {
	ts := newServer(t)
	if c := ts.register("alice"); c.User != "@alice:here.example" || c.Token == "" || c.Device == "" {
		t.Errorf("registered %+v", c)
	}
}

func TestRegisterWithoutName(t *testing.T) {
	ts := newServer(t)
	got := ts.want(ts.anonymous(), "POST", v3+"/register", `{"password":"x",`+dummyAuth+`}`, 200, "")
	user, _ := matrix.StringField([]byte(got), "user_id")
	if _, err := matrix.NewUserID(matrix.UserID(user).Localpart(), here); err != nil {
		t.Errorf("registered %q: %v", user, err)
	}
}

func TestRegisterWithoutLogin(t *testing.T) {
	ts := newServer(t)
	got := ts.want(ts.anonymous(), "POST", v3+"/register", `{"username":"alice","password":"x","inhibit_login":true,`+dummyAuth+`}`, 200, "")
	if want := `{"user_id":"@alice:here.example","home_server":"here.example"}`; got != want {
		t.Errorf("answered %s, want %s", got, want)
	}
}

// spec: these are refused before authentication.
func TestRegisterRefuses(t *testing.T) {
	ts := newServer(t)
	ts.register("alice")
	for _, c := range []struct {
		body   string
		status int
		code   string
	}{
		{`{"username":"alice"}`, 400, matrix.MUserInUse},
		{`{"username":"ALICE","password":"x"}`, 400, matrix.MUserInUse},
		{`{"username":"al ice"}`, 400, matrix.MInvalidUsername},
		{`{"username":""}`, 400, matrix.MInvalidUsername},
		{`{"username":"@bob:here.example"}`, 400, matrix.MInvalidUsername},
		{`{"username":"` + strings.Repeat("x", 250) + `"}`, 400, matrix.MInvalidUsername},
		{`{"username":"bob","password":""}`, 400, matrix.MWeakPassword},
		{`{"username":"bob","password":"` + strings.Repeat("x", 513) + `"}`, 400, matrix.MInvalidParam},
		{`{"username":"bob","password":"x","device_id":"a\u0000b"}`, 400, matrix.MInvalidParam},
		{`{"username":1}`, 400, matrix.MBadJSON},
		{`{"username":"bob","password":["x"]}`, 400, matrix.MBadJSON},
		{`{"auth":"m.login.dummy"}`, 400, matrix.MBadJSON},
		{`{"auth":{"type":1}}`, 400, matrix.MBadJSON},
		{`{"username":"bob","username":"carol"}`, 400, matrix.MBadJSON},
		{`{"username":"bob"`, 400, matrix.MNotJSON},
		{`["username"]`, 400, matrix.MBadJSON},
		{``, 400, matrix.MNotJSON},
		{"{\"username\":\"\xff\"}", 400, matrix.MNotJSON},
		{`{"x":"` + strings.Repeat("x", maxBody) + `"}`, 413, matrix.MTooLarge},
		{`{"username":"bob",` + dummyAuth + `}`, 400, matrix.MMissingParam},
	} {
		ts.want(ts.anonymous(), "POST", v3+"/register", c.body, c.status, c.code)
	}
	if ok, err := ts.api.Accounts.Exists(t.Context(), "@bob:here.example"); ok || err != nil {
		t.Errorf("bob exists: %v, %v", ok, err)
	}
}

func TestRegisterKinds(t *testing.T) {
	ts := newServer(t)
	ts.want(ts.anonymous(), "POST", v3+"/register?kind=guest", `{}`, 403, matrix.MGuestAccessForbidden)
	ts.want(ts.anonymous(), "POST", v3+"/register?kind=robot", `{}`, 400, matrix.MInvalidParam)
	ts.want(ts.anonymous(), "POST", v3+"/register?kind=user", `{"username":"alice","password":"x",`+dummyAuth+`}`, 200, "")
}

func TestRegisterForApplicationServices(t *testing.T) {
	ts := newServer(t, func(s *Settings) { s.Open = false })
	ts.want(ts.anonymous(), "POST", v3+"/register", `{"type":"m.login.application_service","username":"x"}`, 403, matrix.MForbidden)
}

func TestRegistrationClosed(t *testing.T) {
	ts := newServer(t, func(s *Settings) { s.Open = false })
	ts.want(ts.anonymous(), "POST", v3+"/register", `{"username":"alice","password":"x",`+dummyAuth+`}`, 403, matrix.MForbidden)
	ts.want(ts.anonymous(), "POST", v3+"/register", `{}`, 403, matrix.MForbidden)
	ts.want(ts.anonymous(), "GET", v3+"/register/available?username=alice", "", 403, matrix.MForbidden)
}

func TestRegisterAvailable(t *testing.T) {
	ts := newServer(t)
	ts.register("alice")
	for _, c := range []struct {
		query  string
		status int
		code   string
	}{
		{"?username=bob", 200, ""},
		{"?username=alice", 400, matrix.MUserInUse},
		{"?username=Alice", 400, matrix.MUserInUse},
		{"?username=b%20b", 400, matrix.MInvalidUsername},
		{"?username=", 400, matrix.MInvalidUsername},
		{"?username=%ff", 400, matrix.MInvalidParam},
		{"", 400, matrix.MMissingParam},
	} {
		got := ts.want(ts.anonymous(), "GET", v3+"/register/available"+c.query, "", c.status, c.code)
		if c.status == 200 && got != `{"available":true}` {
			t.Errorf("answered %s", got)
		}
	}
}

func TestRegisterOnce(t *testing.T) {
	ts := newServer(t)
	var wg sync.WaitGroup
	answers := make(chan int, 8)
	for i := range cap(answers) {
		wg.Go(func() {
			status, _ := ts.do(ts.anonymous(), "POST", v3+"/register", fmt.Sprintf(`{"username":"alice","password":"pw%d",%s}`, i, dummyAuth))
			answers <- status
		})
	}
	wg.Wait()
	close(answers)
	count := map[int]int{}
	for s := range answers {
		count[s]++
	}
	if count[200] != 1 || count[400] != 7 {
		t.Errorf("answered %v", count)
	}
}

func TestRegisterAddresses(t *testing.T) {
	ts := newServer(t)
	for _, kind := range []string{"email", "msisdn"} {
		ts.want(ts.anonymous(), "POST", v3+"/register/"+kind+"/requestToken", `{}`, 403, matrix.MThreepidDenied)
	}
}
