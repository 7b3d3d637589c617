package clientsync

import (
	"encoding/json"
	"testing"

	"hearth/matrix"
)

func TestPick(t *testing.T) {
	const event = `{"content":{"body":"x","a.b":1,"deep":{"y":[1],"z":{}}},"type":"m.x","unsigned":{"age":1}}`
	for _, c := range []struct {
		fields []string
		want   string
	}{
		{nil, `{}`},
		{[]string{"type"}, `{"type":"m.x"}`},
		{[]string{"unsigned", "type"}, `{"type":"m.x","unsigned":{"age":1}}`},
		{[]string{"content.body", "content.deep.y"}, `{"content":{"body":"x","deep":{"y":[1]}}}`},
		{[]string{"content", "content.body"}, `{"content":{"body":"x","a.b":1,"deep":{"y":[1],"z":{}}}}`},
		{[]string{`content.a\.b`}, `{"content":{"a.b":1}}`},
		{[]string{"content.deep.z"}, `{"content":{"deep":{"z":{}}}}`},
		{[]string{"content.deep.z.none", "content.body.none", "", "."}, `{}`},
	} {
		var paths [][]string
		for _, f := range c.fields {
			paths = append(paths, matrix.SplitPath(f))
		}
		if got := string(pick(nil, []byte(event), paths)); got != c.want {
			t.Errorf("%q: %s, want %s", c.fields, got, c.want)
		}
	}
}

func FuzzPick(f *testing.F) {
	f.Add(`{"a":{"b":1},"c":[2]}`, "a.b", "c")
	f.Add(`{"":{"":{}}}`, ".", "")
	f.Fuzz(func(t *testing.T, obj, one, two string) {
		canonical, err := matrix.Canonical([]byte(obj))
		if err != nil || !matrix.IsObject(canonical) {
			return
		}
		got := pick(nil, canonical, [][]string{matrix.SplitPath(one), matrix.SplitPath(two)})
		if !json.Valid(got) || len(got) > len(canonical) {
			t.Errorf("%q and %q of %s: %s", one, two, canonical, got)
		}
	})
}

func FuzzFilter(f *testing.F) {
	f.Add(`{"room":{"timeline":{"limit":5,"types":["m.*"]},"rooms":[]},"event_fields":["a.b"],"event_format":"client"}`)
	f.Fuzz(func(t *testing.T, text string) {
		fs := newFilters()
		a, err := fs.parse([]byte(text))
		if err != nil {
			return
		}
		a.Room.selects("!r:x")
		if b, err := fs.parse([]byte(text)); err != nil || len(text) <= maxFilterText && a != b {
			t.Errorf("parsed anew: %v", err)
		}
	})
}

func TestFiltersAreBounded(t *testing.T) {
	fs := newFilters()
	for i := range maxFilters + 10 {
		text, _ := json.Marshal(map[string]any{"x": i})
		if _, err := fs.parse(text); err != nil {
			t.Fatal(err)
		}
	}
	if len(fs.parsed) > maxFilters {
		t.Errorf("%d filters", len(fs.parsed))
	}
	many := make([]string, maxFields+1)
	text, _ := json.Marshal(map[string]any{"event_fields": many})
	if _, err := fs.parse(text); err == nil {
		t.Error("too many fields were taken")
	}
}
