package contract

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestWatch(t *testing.T) {
	c := open(t)
	answers := map[string]string{"/_matrix/client/v3/joined_rooms": `{"joined_rooms":[]}`, "/_matrix/client/v3/account/whoami": `{"user_id":7}`}
	var broken []string
	h := c.Watch(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		io.WriteString(w, answers[r.URL.Path])
	}), func(err error) { broken = append(broken, err.Error()) })
	for path, answer := range answers {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Body.String() != answer {
			t.Errorf("%s answered %s", path, w.Body)
		}
	}
	if len(broken) != 1 || !strings.Contains(broken[0], "getTokenOwner") {
		t.Errorf("found broken: %q", broken)
	}
}
