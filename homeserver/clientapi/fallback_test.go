package clientapi

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"hearth/matrix"
)

func withTerms(s *Settings) {
	s.Terms = Terms{Name: `House "rules" <script>`, URL: "https://here.example/?a=1&b=2", Version: "3"}
}

// browse opens a page, or sends its form if there is one.
func (ts *testServer) browse(stage string, query, form url.Values) (status int, page string, header http.Header) {
	ts.t.Helper()
	address := ts.base + v3 + "/auth/" + stage + "/fallback/web?" + query.Encode()
	var w *http.Response
	var err error
	if form == nil {
		w, err = ts.http.Get(address)
	} else {
		w, err = ts.http.PostForm(address, form)
	}
	must(ts.t, err)
	defer w.Body.Close()
	text, err := io.ReadAll(w.Body)
	must(ts.t, err)
	return w.StatusCode, string(text), w.Header
}

func TestTerms(t *testing.T) {
	ts := newServer(t, withTerms)
	first := []byte(ts.want(ts.anonymous(), "POST", v3+"/register", `{}`, 401, ""))
	document := []string{"params", "m.login.terms", "policies", "terms_of_service"}
	version, _ := matrix.StringField(first, append(document, "version")...)
	link, _ := matrix.StringField(first, append(document, "en", "url")...)
	name, _ := matrix.StringField(first, append(document, "en", "name")...)
	if version != "3" || link != "https://here.example/?a=1&b=2" || name != `House "rules" <script>` {
		t.Errorf("answered %s", first)
	}
	ts.want(ts.anonymous(), "POST", v3+"/register", `{"username":"alice","password":"x",`+dummyAuth+`}`, 401, matrix.MForbidden)
	ts.want(ts.anonymous(), "POST", v3+"/register", `{"username":"alice","password":"x","auth":{"type":"m.login.terms","session":"`+sessionOf(string(first))+`"}}`, 200, "")
}

func TestTermsInSettings(t *testing.T) {
	for _, c := range []struct {
		terms Terms
		good  bool
	}{
		{Terms{}, true},
		{Terms{"T", "https://x.example/", "1"}, true},
		{Terms{"", "https://x.example/", "1"}, false},
		{Terms{"T", "https://x.example/", ""}, false},
		{Terms{"T", "javascript:alert(1)", "1"}, false},
		{Terms{"T", "https:", "1"}, false},
	} {
		if err := c.terms.Check(); (err == nil) != c.good {
			t.Errorf("%+v: %v", c.terms, err)
		}
	}
}

// A client that knows neither stage registers through the pages, and then by the session alone.
func TestFallback(t *testing.T) {
	ts := newServer(t, onlyInvited, withTerms)
	ts.invitation("secret", 1)
	session := sessionOf(ts.want(ts.anonymous(), "POST", v3+"/register", `{}`, 401, ""))
	query := url.Values{"session": {session}}
	step := func(stage string, form url.Values, wantStatus int, want ...string) {
		t.Helper()
		status, page, header := ts.browse(stage, query, form)
		if status != wantStatus || !strings.HasPrefix(header.Get("Content-Type"), "text/html") || !strings.Contains(header.Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%s: answered %d %v", stage, status, header)
		}
		for _, w := range want {
			if !strings.Contains(page, w) {
				t.Errorf("%s: the page lacks %q:\n%s", stage, w, page)
			}
		}
	}
	const done = `window.opener.postMessage("authDone", "*")`
	step(stageTerms, url.Values{"session": {session}}, 401, "is not the next stage")
	step(stageRegistrationToken, nil, 200, `name="token"`, session)
	step(stageRegistrationToken, url.Values{"session": {session}, "token": {"wrong"}}, 401, "Invalid registration token", `name="token"`)
	step(stageRegistrationToken, url.Values{"session": {session}, "token": {"secret"}}, 200, done)
	step(stageTerms, nil, 200, `href="https://here.example/?a=1&amp;b=2"`, `House &#34;rules&#34; &lt;script&gt;`)
	body := `{"username":"alice","password":"x","auth":{"session":"` + session + `"}}`
	ts.want(ts.anonymous(), "POST", v3+"/register", body, 401, "")
	step(stageTerms, url.Values{"session": {session}}, 200, done)
	ts.want(ts.anonymous(), "POST", v3+"/register", body, 200, "")
	step(stageTerms, nil, 401, "has ended")
	step(stageTerms, url.Values{"session": {session}}, 401, "has ended")
}

// Nothing that a link carries becomes part of a page, and a page opens no other stage.
func TestFallbackRefuses(t *testing.T) {
	ts := newServer(t, withTerms, withLoginTokens)
	evil := `"><script>alert(1)</script>`
	for _, form := range []url.Values{nil, {"session": {evil}, "token": {evil}}} {
		status, page, _ := ts.browse(stageTerms, url.Values{"session": {evil}}, form)
		if status != 401 || strings.Contains(page, "alert") && !strings.Contains(page, "&lt;script&gt;") || strings.Contains(page, "<script>alert") {
			t.Errorf("answered %d %s", status, page)
		}
	}
	alice := ts.anonymous()
	must(t, alice.Do(t.Context(), "POST", v3+"/register", nil, map[string]any{"username": "alice", "password": password, "auth": map[string]string{"type": stageTerms}}, nil))
	must(t, alice.Login(t.Context(), "alice", password, ""))
	session := sessionOf(ts.want(alice, "POST", getToken, `{}`, 401, ""))
	if status, _, _ := ts.browse(stageTerms, url.Values{"session": {session}}, url.Values{"session": {session}}); status != 401 {
		t.Errorf("the terms confirmed a password: %d", status)
	}
	ts.want(alice, "POST", getToken, `{"auth":{"session":"`+session+`"}}`, 401, "")
	for _, c := range []struct {
		stage  string
		query  string
		status int
		code   string
	}{
		{"m.login.password", "?session=x", 404, matrix.MNotFound},
		{"m.login.nothing", "?session=x", 404, matrix.MNotFound},
		{stageTerms, "", 400, matrix.MMissingParam},
	} {
		ts.want(alice, "GET", v3+"/auth/"+c.stage+"/fallback/web"+c.query, "", c.status, c.code)
	}
	ts.want(alice, "POST", v3+"/auth/"+stageTerms+"/fallback/web", "session=%zz", 400, matrix.MInvalidParam)
	ts.want(alice, "POST", v3+"/auth/"+stageTerms+"/fallback/web", strings.Repeat("x", maxForm+1), 413, matrix.MTooLarge)
}
