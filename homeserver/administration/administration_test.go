package administration

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"hearth/homeserver/account"
	"hearth/homeserver/directory"
	"hearth/homeserver/report"
	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/storage/blobtest"
)

// newAdministration returns the API over a server without rooms; the rest is tested by the scripts of the command.
func newAdministration(t testing.TB) *Administration {
	t.Helper()
	s, err := store.Open(t.Context(), blobtest.NewMemory(), store.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	accounts := account.New(s, account.Options{Server: "x", Cost: account.Cost{Memory: 8, Time: 1, Threads: 1}})
	return &Administration{
		Server: "x", Store: s, Accounts: accounts, Directory: directory.New(s), Reports: report.New(s, time.Now),
		LogOut: func(ctx context.Context, user matrix.UserID, devices ...string) ([]string, error) {
			return devices, accounts.RemoveDevices(ctx, user, devices...)
		},
		Failed: func(r *http.Request, err error) { t.Errorf("%s: %v", r.URL, err) },
	}
}

func want(t testing.TB, h http.Handler, method, path, body string, status int, code string) string {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
	got, _ := matrix.StringField(w.Body.Bytes(), "errcode")
	if w.Code != status || got != code || !json.Valid(w.Body.Bytes()) {
		t.Errorf("%s %s %s\nanswered %d %s\nwant %d %s", method, path, body, w.Code, w.Body, status, code)
	}
	return w.Body.String()
}

func TestRefusals(t *testing.T) {
	h := newAdministration(t).Handler()
	const v1 = "/admin/v1"
	want(t, h, "POST", v1+"/users", `{"name":"alice","password":"secret"}`, 200, "")
	for _, c := range []struct {
		method, path, body string
		status             int
		code               string
	}{
		{"GET", "/admin/v1", "", 404, matrix.MUnrecognized},
		{"GET", "/admin/v1/cats", "", 404, matrix.MUnrecognized},
		{"PATCH", "/admin/v1/users", "", 405, matrix.MUnrecognized},
		{"POST", "/admin/v1/users", `{`, 400, matrix.MNotJSON},
		{"POST", "/admin/v1/users", `{"name":""}`, 400, matrix.MMissingParam},
		{"POST", "/admin/v1/users", `{"name":"b","password":""}`, 400, matrix.MWeakPassword},
		{"POST", "/admin/v1/users", `{"name":1}`, 400, matrix.MBadJSON},
		{"POST", "/admin/v1/users", `{"name":"` + strings.Repeat("x", maxBody) + `"}`, 413, matrix.MTooLarge},
		{"POST", "/admin/v1/users/alice/password", `{"password":"` + strings.Repeat("x", 513) + `"}`, 400, matrix.MInvalidParam},
		{"PUT", "/admin/v1/users/alice/locked", `{}`, 400, matrix.MMissingParam},
		{"PUT", "/admin/v1/users/alice/locked", `{"on":1}`, 400, matrix.MBadJSON},
		{"PUT", "/admin/v1/users/alice/happy", `{"on":true}`, 404, matrix.MUnrecognized},
		{"PUT", "/admin/v1/users/%40a%2Fb%3Ax/locked", `{"on":true}`, 404, matrix.MNotFound},
		{"PUT", "/admin/v1/users/..%2F../locked", `{"on":true}`, 404, matrix.MNotFound},
		{"GET", "/admin/v1/users?limit=x", "", 400, matrix.MInvalidParam},
		{"GET", "/admin/v1/users?from=%ff", "", 400, matrix.MInvalidParam},
		{"GET", "/admin/v1/rooms?from=-1", "", 400, matrix.MInvalidParam},
		{"GET", "/admin/v1/reports?from=x", "", 400, matrix.MInvalidParam},
		{"POST", "/admin/v1/tokens", `{"uses":-2}`, 400, matrix.MInvalidParam},
		{"POST", "/admin/v1/tokens", `{"uses":"1"}`, 400, matrix.MBadJSON},
		{"DELETE", "/admin/v1/tokens/none", "", 404, matrix.MNotFound},
		{"DELETE", "/admin/v1/reports/18446744073709551616", "", 400, matrix.MInvalidParam},
	} {
		want(t, h, c.method, c.path, c.body, c.status, c.code)
	}
}

// Lists are never null, and may be asked for beyond their end.
func TestEmptyLists(t *testing.T) {
	h := newAdministration(t).Handler()
	for path, is := range map[string]string{
		"/admin/v1/users":              `{"users":[]}`,
		"/admin/v1/users?from=@z:x":    `{"users":[]}`,
		"/admin/v1/tokens":             `{"tokens":[]}`,
		"/admin/v1/rooms?from=1000000": `{"rooms":[],"total":0}`,
		"/admin/v1/reports":            `{"reports":[],"total":0}`,
	} {
		if got := want(t, h, "GET", path, "", 200, ""); got != is {
			t.Errorf("%s: %s", path, got)
		}
	}
}
