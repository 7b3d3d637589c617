package event

import (
	"strings"
	"testing"

	"hearth/matrix"
)

func TestBuildRefuses(t *testing.T) {
	long := strings.Repeat("x", 256)
	many := make([]matrix.EventID, 21)
	for i := range many {
		many[i] = hashA
	}
	text := func(s string) *string { return &s }
	for name, change := range map[string]func(*Proto){
		"no content":         func(p *Proto) { p.Content = nil },
		"content a list":     func(p *Proto) { p.Content = []byte("[]") },
		"content no JSON":    func(p *Proto) { p.Content = []byte("{") },
		"content equal keys": func(p *Proto) { p.Content = []byte(`{"a":1,"\u0061":2}`) },
		"long type":          func(p *Proto) { p.Type = long },
		"type no UTF-8":      func(p *Proto) { p.Type = "\xff" },
		"long state key":     func(p *Proto) { p.StateKey = &long },
		"state key no UTF-8": func(p *Proto) { p.StateKey = text("\xff") },
		"no sender":          func(p *Proto) { p.Sender = "" },
		"long sender":        func(p *Proto) { p.Sender = matrix.UserID("@" + long + ":domain") },
		"no room":            func(p *Proto) { p.RoomID = "" },
		"room no id":         func(p *Proto) { p.RoomID = "room" },
		"prev_events":        func(p *Proto) { p.PrevEvents = many },
		"auth_events":        func(p *Proto) { p.AuthEvents = many[:11] },
		"prev event no id":   func(p *Proto) { p.PrevEvents = []matrix.EventID{""} },
		"auth event no id":   func(p *Proto) { p.AuthEvents = []matrix.EventID{"x"} },
		"negative depth":     func(p *Proto) { p.Depth = -1 },
		"negative time":      func(p *Proto) { p.Time = -1 },
		"late time":          func(p *Proto) { p.Time = 1 << 53 },
		"redacts elsewhere":  func(p *Proto) { p.Redacts = hashA },
		"redacts no id":      func(p *Proto) { p.Type, p.Redacts = TypeRedaction, "x" },
	} {
		for _, v := range matrix.Versions() {
			p := proto(v, "m.room.message", `{"body":"x"}`)
			change(&p)
			if e, err := Build(v, p, testSigner(t)); err == nil {
				t.Errorf("%s: version %s built %s", name, v.Version, e.JSON)
			}
		}
	}
}

func TestBuildWantsItsVersionsIDs(t *testing.T) {
	for _, v := range matrix.Versions() {
		p := proto(v, "m.room.message", `{"body":"x"}`)
		if v.RoomIDIsCreateHash {
			p.RoomID = "!room:domain"
		} else {
			p.RoomID = "!AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
		}
		if _, err := Build(v, p, testSigner(t)); err == nil {
			t.Errorf("version %s takes room %s", v.Version, p.RoomID)
		}
		p = proto(v, "m.room.message", `{"body":"x"}`)
		p.EventID = map[bool]matrix.EventID{true: "", false: "$made:domain"}[v.IsPaired()]
		if _, err := Build(v, p, testSigner(t)); err == nil {
			t.Errorf("version %s takes event id %q", v.Version, p.EventID)
		}
	}
}

// spec: rooms/v6#event-format: at the limit, depth stays at the limit.
func TestBuildCapsDepth(t *testing.T) {
	for _, v := range matrix.Versions() {
		p := proto(v, "m.room.message", `{}`)
		p.Depth = 1<<63 - 1
		e, err := Build(v, p, testSigner(t))
		if err != nil || e.Depth != v.MaxDepth {
			t.Fatalf("version %s: %v", v.Version, err)
		}
		if parsed, err := Parse(v, e.JSON); err != nil || parsed.Depth != v.MaxDepth {
			t.Errorf("version %s: %v", v.Version, err)
		}
	}
}

// spec: rooms/v11#moving-the-redacts-property-of-mroomredaction-events-to-a-content-property
func TestRedactsStandsWhereTheVersionPutsIt(t *testing.T) {
	for _, v := range matrix.Versions() {
		p := proto(v, TypeRedaction, `{"a":1,"z":2}`)
		p.Redacts = hashB
		e, err := Build(v, p, testSigner(t))
		if err != nil {
			t.Fatal(err)
		}
		_, top := matrix.Field(e.JSON, "redacts")
		_, inside := matrix.Field(e.Content, "redacts")
		if e.Redacts != hashB || top == v.RedactsInContent || inside != v.RedactsInContent {
			t.Errorf("version %s: redacts %q in %s", v.Version, e.Redacts, e.JSON)
		}
		if parsed, err := Parse(v, e.JSON); err != nil || parsed.Redacts != hashB {
			t.Errorf("version %s: %v", v.Version, err)
		}
		p.Type, p.Redacts, p.Content = "m.room.message", "", []byte(`{"redacts":"`+hashA+`"}`)
		if e, err = Build(v, p, testSigner(t)); err != nil || e.Redacts != "" {
			t.Errorf("version %s: a message redacts %q (%v)", v.Version, e.Redacts, err)
		}
	}
}

func TestBuildDoesNotKeepTheCallersLists(t *testing.T) {
	v := version(t, "12")
	p := proto(v, "m.room.message", `{"body":"x"}`)
	e, err := Build(v, p, testSigner(t))
	if err != nil {
		t.Fatal(err)
	}
	p.PrevEvents[0], p.AuthEvents[0], p.Content[2] = hashB, hashB, 'X'
	if e.PrevEvents[0] != hashA || e.AuthEvents[0] != hashA || string(e.Content) != `{"body":"x"}` {
		t.Errorf("the event changed to %+v", e)
	}
}
