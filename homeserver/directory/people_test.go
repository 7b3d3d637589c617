package directory

import (
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"

	"hearth/homeserver/account"
	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/event"
	"hearth/storage/blob"
	"hearth/storage/blobtest"
)

// crowd is a store with rooms and their members, and the index of them.
type crowd struct {
	t        testing.TB
	backend  blob.Store
	store    *store.Store
	accounts *account.Accounts
	people   *People
	rooms    map[store.RoomNum]*store.Room
	orders   map[store.RoomNum]store.Order
}

func newCrowd(t testing.TB) *crowd {
	c := &crowd{t: t, backend: blobtest.NewMemory(), rooms: make(map[store.RoomNum]*store.Room), orders: make(map[store.RoomNum]store.Order)}
	c.open()
	t.Cleanup(func() { c.close() })
	return c
}

func (c *crowd) open() {
	c.t.Helper()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	var err error
	c.store, err = store.Open(c.t.Context(), c.backend, store.Options{Log: log})
	must(c.t, err)
	c.accounts = account.New(c.store, account.Options{Server: "x", Cost: account.Cost{Memory: 8, Time: 1, Threads: 1}})
	c.people = NewPeople(c.store, c.accounts, log)
}

func (c *crowd) close() {
	c.people.Close()
	c.store.Close()
}

// member sets a membership in a room, which is made at first, with the join rule.
func (c *crowd) member(num store.RoomNum, rule string, user matrix.UserID, membership, name string) {
	c.t.Helper()
	v, _ := matrix.LookupVersion("11")
	room := c.rooms[num]
	isNew := room == nil
	if isNew {
		room = &store.Room{Num: num, ID: matrix.RoomID(fmt.Sprintf("!%d:x", num)), Version: v}
		c.rooms[num] = room
	}
	var events []*store.Event
	draft := c.store.Draft()
	put := func(typ, key, content string) {
		c.orders[num]++
		json := fmt.Sprintf(`{"auth_events":[],"content":%s,"depth":1,"hashes":{},"origin_server_ts":1,"prev_events":[],"room_id":%q,"sender":"@a:x","state_key":%q,"type":%q}`, content, room.ID, key, typ)
		e, err := event.Load(v, matrix.EventID(fmt.Sprintf("$%d-%d", num, c.orders[num])), []byte(json))
		must(c.t, err)
		se := &store.Event{Event: e, Room: num, Order: c.orders[num], Before: room.State}
		room.State, err = draft.Set(c.t.Context(), room.State, store.StateEntry{Key: event.Key{Type: typ, StateKey: key}, Order: se.Order, ID: e.ID})
		must(c.t, err)
		se.After = room.State
		events = append(events, se)
	}
	if isNew {
		put("m.room.join_rules", "", fmt.Sprintf(`{"join_rule":%q}`, rule))
	}
	put("m.room.member", string(user), fmt.Sprintf(`{"displayname":%q,"membership":%q}`, name, membership))
	copied := *room
	_, err := c.store.Apply(c.t.Context(), func(tx *store.Tx) {
		tx.PutDraft(draft)
		for _, e := range events {
			tx.PutEvent(e)
		}
		if user.Server() == "x" {
			tx.PutMembership(user, &store.Membership{Room: num, Membership: membership, Order: c.orders[num]})
		}
		if isNew {
			tx.PutNewRoom(&copied)
		} else {
			tx.PutRoom(&copied)
		}
	})
	must(c.t, err)
}

func (c *crowd) want(user matrix.UserID, term string, want ...string) {
	c.t.Helper()
	found, _, err := c.people.Search(c.t.Context(), Search{User: user, Term: term, Limit: 50, All: true})
	must(c.t, err)
	var got []string
	for _, p := range found {
		got = append(got, string(p.ID)+" "+p.Name)
	}
	if strings.Join(got, ", ") != strings.Join(want, ", ") {
		c.t.Errorf("%q finds %q, want %q", term, got, want)
	}
}

// TestPeopleOfOtherServers are found by who shares a room with them, or if one of theirs is public.
func TestPeopleOfOtherServers(t *testing.T) {
	c := newCrowd(t)
	const bob, carol = matrix.UserID("@bob:y"), matrix.UserID("@carol:y")
	c.member(100, "invite", alice, "join", "")
	c.member(100, "invite", bob, "join", "Bob")
	c.want(alice, "bob", "@bob:y Bob")
	c.want("@other:x", "bob")
	c.member(100, "invite", bob, "join", "Robert")
	c.want(alice, "bob", "@bob:y Robert")
	c.want(alice, "rob", "@bob:y Robert")
	c.member(200, "invite", bob, "join", "Robert")
	c.member(100, "invite", bob, "leave", "")
	c.want(alice, "bob") // he is in a room that she knows nothing of
	c.member(300, "public", bob, "join", "Bobby")
	c.want(alice, "bob", "@bob:y Bobby")
	c.member(300, "public", bob, "ban", "")
	c.member(200, "public", bob, "leave", "")
	c.want(alice, "bob")
	if known, err := c.people.known(t.Context(), bob); err != nil || known[0] != nil {
		t.Errorf("one who is in no room is known: %v, %v", known[0], err)
	}
	for row, err := range c.store.Scan(t.Context(), blob.Range{Table: tablePeopleWords}) {
		must(t, err)
		t.Errorf("the word %q is left", row.Key)
	}
	c.member(100, "invite", carol, "invite", "Carol")
	c.want(alice, "carol")
	c.member(100, "invite", "@ünïcode:y", "join", "Dave") // no id that clients should see
	c.want(alice, "dave")
}

// TestPeopleAfterRestart: the index goes on where it was, and is made of what is there if there is none.
func TestPeopleAfterRestart(t *testing.T) {
	c := newCrowd(t)
	c.member(100, "invite", alice, "join", "")
	for i := range 10 {
		c.member(100, "invite", matrix.UserID(fmt.Sprintf("@bob%d:y", i)), "join", "Bob")
	}
	_, err := c.accounts.Create(t.Context(), "bobbie", "", account.NewUser{DisplayName: "Bob"})
	must(t, err)
	count := func() int {
		found, _, err := c.people.Search(t.Context(), Search{User: alice, Term: "bob", Limit: 50, All: true})
		must(t, err)
		return len(found)
	}
	if n := count(); n != 11 {
		t.Errorf("%d found, want 11", n)
	}
	c.close()
	c.open()
	if n := count(); n != 11 {
		t.Errorf("%d found after a restart, want 11", n)
	}
	c.people.Close()
	c.member(100, "invite", "@bob0:y", "leave", "")
	_, err = c.store.Apply(t.Context(), func(tx *store.Tx) {
		for _, table := range []string{tablePeople, tablePeopleWords, tablePeopleRooms, tableFollowers} {
			for row, err := range c.store.Scan(t.Context(), blob.Range{Table: table}) {
				must(t, err)
				tx.Delete(table, row.Key)
			}
		}
	})
	must(t, err)
	c.people = NewPeople(c.store, c.accounts, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if n := count(); n != 10 {
		t.Errorf("%d found in an index made anew, want 10", n)
	}
}

// The example of the package comment.
func TestPersonRecord(t *testing.T) {
	for text, p := range map[string]person{"03426f620000": {name: "Bob"}, "0003783a790e": {avatar: "x:y", rooms: 7}} {
		got := appendPerson(nil, &p)
		if hex.EncodeToString(got) != text {
			t.Errorf("%+v is %x, want %s", p, got, text)
		}
		if again, err := readPerson("", got); err != nil || *again != p {
			t.Errorf("%s reads as %+v, %v", text, again, err)
		}
	}
}

func FuzzReadPerson(f *testing.F) {
	f.Add([]byte("\x03Bob\x00\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := readPerson("@a:x", data)
		if err != nil {
			return
		}
		again, err := readPerson("@a:x", appendPerson(nil, p))
		if err != nil || *again != *p {
			t.Errorf("read %+v, then %+v, %v", p, again, err)
		}
	})
}

func FuzzTerm(f *testing.F) {
	f.Add("@bob:here")
	f.Add("李小 Straße")
	folder := newFolder()
	f.Fuzz(func(t *testing.T, text string) {
		got := folder.readTerm(text)
		for _, w := range got.words {
			if w == "" || len(w) > maxWord {
				t.Errorf("%q has the word %q", text, w)
			}
		}
		if len(got.words) > maxSearchWords {
			t.Errorf("%d words", len(got.words))
		}
	})
}

// BenchmarkSearchPeople searches among 50,000 users of another server, of whom 1,250 have a first name in common, who
// are all in one room with the one who searches.
func BenchmarkSearchPeople(b *testing.B) {
	c := newCrowd(b)
	c.member(100, "invite", alice, "join", "")
	const people = 50000
	must(b, c.people.wait(b.Context()))
	for first := 0; first < people; first += 500 {
		var e edit
		for i := first; i < first+500; i++ {
			id := matrix.UserID(fmt.Sprintf("@user%d:y", i))
			e.put(c.people.folder, nil, &person{id: id, name: fmt.Sprintf("Name%d Family%d", i%40, i%977), rooms: 1})
			e = append(e, func(tx *store.Tx) { tx.Set(tablePeopleRooms, personRoom(id, 100), []byte{}) })
		}
		must(b, c.people.write(b.Context(), e))
	}
	for _, term := range []string{"name7", "name7 family7", "user123", "n"} {
		b.Run(term, func(b *testing.B) {
			for b.Loop() {
				found, _, err := c.people.Search(b.Context(), Search{User: alice, Term: term, Limit: 10})
				if err != nil || len(found) == 0 {
					b.Fatal(found, err)
				}
			}
		})
	}
}
