package account

import (
	"fmt"
	"strings"
	"testing"

	"hearth/matrix"
)

func TestFilters(t *testing.T) {
	a := withAlice(t)
	const one, two = `{"room":{"timeline":{"limit":10}}}`, `{}`
	ids := map[string]string{}
	for _, f := range []string{one, two, one, two} {
		id, err := a.PutFilter(t.Context(), alice, []byte(f))
		wantCode(t, err, "")
		if before, ok := ids[f]; ok && before != id {
			t.Errorf("%s is %q and %q", f, before, id)
		}
		ids[f] = id
	}
	if ids[one] == ids[two] || strings.HasPrefix(ids[one], "{") {
		t.Errorf("ids %v", ids)
	}
	for f, id := range ids {
		got, err := a.Filter(t.Context(), alice, id)
		if string(got) != f || err != nil {
			t.Errorf("read %s, %v, want %s", got, err, f)
		}
		if got, err := a.Filter(t.Context(), "@bob:here.example", id); got != nil || err != nil {
			t.Errorf("somebody else read %s, %v", got, err)
		}
	}
	for _, id := range []string{"", "0", "nope", strings.Repeat("x", 2000), "\x00"} {
		if got, err := a.Filter(t.Context(), alice, id); got != nil || err != nil {
			t.Errorf("filter %q: %s, %v", id, got, err)
		}
	}
}

// Threat 12: filters are limited by their number and their bytes, and those that are there still work.
func TestFiltersAreLimited(t *testing.T) {
	for _, c := range []struct{ size, most int }{{10, MaxFilters}, {60 << 10, MaxFilterBytes / (60 << 10)}} {
		a := withAlice(t)
		filter := func(i int) []byte { return fmt.Appendf(nil, `{"x":"%0*d"}`, c.size, i) }
		for i := range c.most {
			_, err := a.PutFilter(t.Context(), alice, filter(i))
			wantCode(t, err, "")
		}
		_, err := a.PutFilter(t.Context(), alice, filter(c.most))
		wantCode(t, err, matrix.MUserLimitExceeded)
		_, err = a.PutFilter(t.Context(), alice, filter(0))
		wantCode(t, err, "")
	}
}
