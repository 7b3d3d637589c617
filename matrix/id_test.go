package matrix

import (
	"errors"
	"strings"
	"testing"
)

// spec: appendices#server-name
func TestParseServerName(t *testing.T) {
	for _, c := range []struct{ name, host, port string }{
		{"matrix.org", "matrix.org", ""},
		{"matrix.org:8888", "matrix.org", "8888"},
		{"1.2.3.4", "1.2.3.4", ""},
		{"1.2.3.4:1234", "1.2.3.4", "1234"},
		{"[1234:5678::abcd]", "[1234:5678::abcd]", ""},
		{"[1234:5678::abcd]:5678", "[1234:5678::abcd]", "5678"},
		{"localhost", "localhost", ""},
		{"MATRIX.org", "MATRIX.org", ""},
		{"a-b.c", "a-b.c", ""},
		{"[::]", "[::]", ""},
		{"[::1]:1", "[::1]", "1"},
		{"[1::]", "[1::]", ""},
		{"[::ffff:1.2.3.4]", "[::ffff:1.2.3.4]", ""},
		{"[1:2:3:4:5:6:1.2.3.4]", "[1:2:3:4:5:6:1.2.3.4]", ""},
		{"[1:2:3:4:5:6:7:8]", "[1:2:3:4:5:6:7:8]", ""},
		{strings.Repeat("a", 255), strings.Repeat("a", 255), ""},
	} {
		s, err := ParseServerName(c.name)
		if err != nil || s.Host() != c.host || s.Port() != c.port {
			t.Errorf("%s: host %q, port %q, %v", c.name, s.Host(), s.Port(), err)
		}
	}
	for _, name := range []string{
		"", ":80", "a:", "a:123456", "a:1x", "a:-1", "a:1:2", "a b", "a_b", "a/b", "ä", "a\x00", "@a", "a.b\n",
		"[]", "[:]", "[::1", "::1", "[::1]x", "[::1]:", "[1:2:3:4:5:6:7]", "[1:2:3:4:5:6:7:8:9]", "[1::2::3]",
		"[12345::]", "[::g]", "[1:2:3:4:5:6:7:8::]", "[::1.2.3.256]", "[::1.2.3]", "[1.2.3.4::]", "[fe80::1%eth0]",
		"[" + strings.Repeat("0:", 30) + ":]", strings.Repeat("a", 256),
	} {
		if s, err := ParseServerName(name); err == nil {
			t.Errorf("%q was accepted as %q", name, s)
		}
	}
}

// spec: appendices#user-identifiers, appendices#historical-user-ids
func TestUserIDs(t *testing.T) {
	for _, c := range []struct {
		id, local string
		server    ServerName
		compliant bool
	}{
		{"@user:matrix.org", "user", "matrix.org", true},
		{"@User!~:matrix.org:8448", "User!~", "matrix.org:8448", true},
		{"@a:[::1]:80", "a", "[::1]:80", true},
		{"@:example.org", "", "example.org", false},
		{"@sp ace:example.org", "sp ace", "example.org", false},
		{"@bob\x01\n:example.org", "bob\x01\n", "example.org", false},
		{"@日本:example.org", "日本", "example.org", false},
		{"@" + strings.Repeat("x", 252) + ":a", strings.Repeat("x", 252), "a", true},
	} {
		u, err := ParseUserID(c.id)
		if err != nil || u.Localpart() != c.local || u.Server() != c.server || u.IsCompliant() != c.compliant {
			t.Errorf("%q: %q %q %v, %v", c.id, u.Localpart(), u.Server(), u.IsCompliant(), err)
		}
	}
	for _, id := range []string{
		"", "@", "@a", "a:b", "#a:b", "@a:", "@a:b c", "@a\x00:b", "@\xff:b", "@\xed\xa0\x80:b",
		"@" + strings.Repeat("x", 253) + ":a", "@" + strings.Repeat("é", 126) + ":ab",
	} {
		if _, err := ParseUserID(id); err == nil {
			t.Errorf("%q was accepted", id)
		}
	}
}

func TestNewUserID(t *testing.T) {
	if u, err := NewUserID("a.b_c=d-e/f+0", "example.org"); err != nil || u != "@a.b_c=d-e/f+0:example.org" {
		t.Errorf("got %q, %v", u, err)
	}
	for _, local := range []string{"", "A", "ä", "a b", "a:b", "a!", "a\x00", strings.Repeat("x", 250)} {
		_, err := NewUserID(local, "example.org")
		var e *Error
		if !errors.As(err, &e) || e.Code != MInvalidUsername {
			t.Errorf("%q: error %v", local, err)
		}
	}
}

// spec: appendices#room-ids, appendices#room-aliases, appendices#event-ids
func TestOtherIDs(t *testing.T) {
	room := func(s string) error { _, err := ParseRoomID(s); return err }
	alias := func(s string) error { _, err := ParseRoomAlias(s); return err }
	id := func(s string) error { _, err := ParseEventID(s); return err }
	long := strings.Repeat("x", 254)
	for _, c := range []struct {
		parse func(string) error
		good  []string
		bad   []string
	}{
		{room,
			[]string{"!somewhere:example.org", "!Nhcu5BS-UMnFX7hBVfVSoXiD7OgH6iRT-xyIuqDnpYQ", "!\n日本:a:1", "!" + long},
			[]string{"", "!", "!a:", "#a:b", "!a:b_c", "!a\x00:b", "!\xff", "!a\x00", "!" + long + "x"}},
		{alias,
			[]string{"#room:example.org", "#日本 x:example.org", "#:a"},
			[]string{"", "#", "#a", "#a:", "!a:b", "#a\x00:b", "#" + long + ":a", "#\xff:b"}},
		{id,
			[]string{"$acR1l0raoZnm60CBwAVgqbZqoO/mYU81xysh1u7XcJk", "$Rqnc-F-dvnEYJTyHq_iKxU2bZ1CI92-kuZq3a5lr5Zg", "$0:domain", "$" + long},
			[]string{"", "$", "0:domain", "$\x00", "$\xff", "$" + long + "x"}},
	} {
		for _, s := range c.good {
			if err := c.parse(s); err != nil {
				t.Errorf("%q: %v", s, err)
			}
		}
		for _, s := range c.bad {
			if c.parse(s) == nil {
				t.Errorf("%q was accepted", s)
			}
		}
	}
	if s := RoomID("!a:b:1").Server(); s != "b:1" {
		t.Errorf("server of the room is %q", s)
	}
	if s := RoomID("!hash").Server(); s != "" {
		t.Errorf("server of the room is %q", s)
	}
	if a := RoomAlias("#a:b"); a.Localpart() != "a" || a.Server() != "b" {
		t.Errorf("alias is %q on %q", a.Localpart(), a.Server())
	}
	if EventID("$a:b").Server() != "b" || EventID("$a").Server() != "" {
		t.Error("wrong server of an event id")
	}
}
