package clientapi

import (
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"testing"
)

// What the page runs is what its policy allows, whatever its URL says.
func TestLoginPage(t *testing.T) {
	ts := newServer(t)
	var first string
	for _, query := range []string{"", "?device_id=%3Cscript%3Ealert(1)%3C/script%3E"} {
		w, err := ts.http.Get(ts.base + "/_matrix/static/client/login/" + query)
		must(t, err)
		defer w.Body.Close()
		text, err := io.ReadAll(w.Body)
		must(t, err)
		_, rest, _ := strings.Cut(string(text), "<script>")
		script, _, found := strings.Cut(rest, "</script>")
		sum := sha256.Sum256([]byte(script))
		policy := w.Header.Get("Content-Security-Policy")
		if w.StatusCode != http.StatusOK || !found || !strings.Contains(policy, "'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'") {
			t.Errorf("answered %d, %s:\n%s", w.StatusCode, policy, text)
		}
		if first == "" {
			first = string(text)
		}
		if string(text) != first {
			t.Errorf("the URL changed the page:\n%s", text)
		}
	}
}
