package clientapi

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"slices"
	"time"

	"hearth/matrix"
	"hearth/matrix/wire"
)

const postFallback = "POST /_matrix/client/v3/auth/{authType}/fallback/web"

func (a *API) fallbackRoutes(m *wire.Mux) {
	m.Handle("GET /_matrix/client/v3/auth/{authType}/fallback/web", a.getFallback)
	m.Handle(postFallback, a.postFallback)
}

// The page of a stage for clients that do not know it. What varies of it is text that is escaped, and only what is
// written here may run in it: the policy lets nothing else.
const (
	fallbackDone = `if (window.onAuthDone) {
    window.onAuthDone();
} else if (window.opener && window.opener.postMessage) {
    window.opener.postMessage("authDone", "*");
}`
	pageStyle = `body{font-family:sans-serif;max-width:30em;margin:3em auto;padding:0 1em}` +
		`input,button{font:inherit;padding:.4em}`
	pageFrame = `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Authentication</title><style>` + pageStyle + `</style></head><body>
%s
</body></html>
`
)

// maxForm bounds what a page sends, in bytes.
const maxForm = 8 << 10

// pagePolicy is the Content-Security-Policy of a page in which only this script runs.
func pagePolicy(script string) string {
	allowed := func(text string) string {
		sum := sha256.Sum256([]byte(text))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	return "default-src 'none'; script-src " + allowed(script) + "; style-src " + allowed(pageStyle) +
		"; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
}

// fallbackForms are the forms of the stages that have a page; each gets what was wrong before, and the session.
func (a *API) fallbackForms() map[string]func(wrong, session string) string {
	form := func(wrong, session, fields, button string) string {
		return fmt.Sprintf(`<form method="post"><p>%s</p><input type="hidden" name="session" value="%s">%s <button>%s</button></form>`,
			html.EscapeString(wrong), html.EscapeString(session), fields, button)
	}
	return map[string]func(wrong, session string) string{
		stageTerms: func(wrong, session string) string {
			t := a.Settings.Terms
			return form(wrong, session, fmt.Sprintf(`<p>Please read the <a href="%s" target="_blank" rel="noopener noreferrer">%s</a>.</p>`,
				html.EscapeString(t.URL), html.EscapeString(t.Name)), "I accept")
		},
		stageRegistrationToken: func(wrong, session string) string {
			return form(wrong, session, `<label>Registration token <input name="token" autocomplete="off" required></label>`, "Continue")
		},
	}
}

// spec: client-server-api#fallback
func (a *API) getFallback(w http.ResponseWriter, r *http.Request) error {
	q, err := wire.Query(r)
	if err != nil {
		return err
	}
	form, err := a.fallbackForm(r, q)
	if err != nil {
		return err
	}
	if !a.interactive.open(q.Get("session"), a.Now()) {
		return page(w, http.StatusUnauthorized, fallbackDone, "<p>"+errAuthEnded().Message+".</p>")
	}
	return page(w, http.StatusOK, fallbackDone, form("", q.Get("session")))
}

// spec: client-server-api#fallback
func (a *API) postFallback(w http.ResponseWriter, r *http.Request) error {
	data, err := wire.ReadBytes(w, r, maxForm)
	if err != nil {
		return err
	}
	sent, err := url.ParseQuery(string(data))
	if err != nil {
		return matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "The form is malformed")
	}
	form, err := a.fallbackForm(r, sent)
	if err != nil {
		return err
	}
	auth := append(matrix.AppendString([]byte(`{"token":`), sent.Get("token")), '}')
	refused, err := a.interactive.outside(r.Context(), a.Now(), sent.Get("session"), r.PathValue("authType"), auth)
	switch {
	case err != nil:
		return err
	case refused != nil:
		return page(w, http.StatusUnauthorized, fallbackDone, form(refused.Message, sent.Get("session")))
	}
	return page(w, http.StatusOK, fallbackDone, "<p>Thank you. You may close this page now.</p><script>"+fallbackDone+"</script>")
}

func (a *API) fallbackForm(r *http.Request, q url.Values) (func(wrong, session string) string, error) {
	form := a.fallbackForms()[r.PathValue("authType")]
	switch {
	case form == nil:
		return nil, matrix.Errorf(http.StatusNotFound, matrix.MNotFound, "There is no page for %q", shorten(r.PathValue("authType")))
	case q.Get("session") == "":
		return nil, matrix.Errorf(http.StatusBadRequest, matrix.MMissingParam, "The session is missing")
	}
	return form, nil
}

// page answers with a page, in which only this script runs.
func page(w http.ResponseWriter, status int, script, content string) error {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", pagePolicy(script))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer") // the URL may hold a session
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	fmt.Fprintf(w, pageFrame, content)
	return nil
}

// open reports whether there is a session that has not ended.
func (i *interactive) open(id string, now time.Time) bool { return i.find(id, now) != nil }

// outside tries to complete a stage of a session elsewhere than in the request that needs it. Refused is why it was
// not completed.
func (i *interactive) outside(ctx context.Context, now time.Time, id, typ string, auth []byte) (refused *matrix.Error, err error) {
	s := i.find(id, now)
	if s == nil {
		return errAuthEnded(), nil
	}
	if !slices.ContainsFunc(s.challenge.flows, func(flow []string) bool { return slices.Contains(flow, typ) }) {
		return matrix.Errorf(http.StatusUnauthorized, matrix.MForbidden, "%q is not a stage of any flow", shorten(typ)), nil
	}
	return i.attempt(ctx, s, typ, auth, s.challenge)
}
