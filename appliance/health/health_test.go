package health

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func passes(note string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return note, nil }
}

func fails(why string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return "", errors.New(why) }
}

func TestAFailedParentExplainsItsChildren(t *testing.T) {
	looked := false
	s := Look(t.Context(), Check{Name: "box", Children: []Check{
		{Name: "data", Test: fails("cannot be mounted"), Children: []Check{
			{Name: "storage", Test: func(context.Context) (string, error) { looked = true; return "", nil }, Children: []Check{{Name: "homeserver"}}},
		}},
		{Name: "network", Test: passes("192.0.2.7")},
		{Name: "clock", Test: fails("nobody answers"), Advisory: true},
	}})
	if looked {
		t.Error("a test was run whose parent failed")
	}
	var b strings.Builder
	if err := s.Print(&b); err != nil {
		t.Fatal(err)
	}
	want := `box                      fails below
  data                   fails: cannot be mounted
    storage              not looked at: data fails
      homeserver         not looked at: data fails
  network                well: 192.0.2.7
  clock                  fails: nobody answers
`
	if b.String() != want {
		t.Errorf("the tree is\n%s\nwant\n%s", b.String(), want)
	}
	if got := s.Causes(); !slices.Equal(got, []string{"data: cannot be mounted", "clock: nobody answers"}) {
		t.Errorf("the causes are %q", got)
	}
}

func TestWhatIsAdvisoryFailsAlone(t *testing.T) {
	s := Look(t.Context(), Check{Name: "box", Children: []Check{{Name: "clock", Test: fails("no"), Advisory: true}, {Name: "data"}}})
	if !s.Well || s.Children[0].Well {
		t.Errorf("got %+v", s)
	}
}

func TestATestThatHangsFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		begun := time.Now()
		s := Look(t.Context(), Check{Name: "homeserver", Test: func(context.Context) (string, error) { <-release; return "", nil }})
		if s.Well || s.Note != "no answer in time" || time.Since(begun) != limit {
			t.Errorf("got %+v after %v", s, time.Since(begun))
		}
		close(release)
	})
}
