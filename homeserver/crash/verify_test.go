package crash_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"hearth/matrix"
	"hearth/matrix/wire"
)

// verify checks that all holds that anybody was told.
func (w *world) verify(ctx context.Context) error {
	var errs []error
	for i, wr := range w.writers {
		errs = append(errs, w.verifySettings(ctx, wr))
		receiver := w.follows[(i+1)%people]
		if got := receiver.knocks; !slices.Equal(got, upTo(wr.knocks)) {
			errs = append(errs, fmt.Errorf("%s got the to-device messages %v, want the first %d", receiver.who.name, got, wr.knocks))
		}
	}
	for _, room := range w.rooms {
		for _, f := range w.follows {
			if err := w.verifyMessages(room, f.events[room]); err != nil {
				errs = append(errs, fmt.Errorf("what %s followed: %w", f.who.name, err))
			}
		}
		errs = append(errs, w.verifyAnew(ctx, room))
	}
	for _, f := range w.follows {
		if _, err := f.who.Sync(ctx, wire.SyncOptions{Since: f.first}); err != nil {
			errs = append(errs, fmt.Errorf("%s syncs from the first token: %w", f.who.name, err))
		}
	}
	return errors.Join(errs...)
}

func upTo(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// verifyMessages checks that events hold every acknowledged message once, in
// its sender's order, and no message twice under another id.
func (w *world) verifyMessages(room matrix.RoomID, events []wire.Event) error {
	ids := make(map[matrix.UserID][]matrix.EventID)
	said := make(map[string]bool)
	for _, e := range events {
		if e.Type != "m.room.message" {
			continue
		}
		var content struct{ Body string }
		if err := json.Unmarshal(e.Content, &content); err != nil {
			return fmt.Errorf("the content of %s: %w", e.ID, err)
		}
		if content.Body != "" && said[content.Body] {
			return fmt.Errorf("%q is there twice", content.Body)
		}
		said[content.Body] = true
		ids[e.Sender] = append(ids[e.Sender], e.ID)
	}
	var errs []error
	for _, wr := range w.writers {
		if got, want := ids[wr.who.User], wr.sent[room]; !slices.Equal(got, want) {
			errs = append(errs, fmt.Errorf("%d messages of %s, %d were acknowledged%s", len(got), wr.who.name, len(want), firstDifference(got, want)))
		}
	}
	return errors.Join(errs...)
}

func firstDifference(got, want []matrix.EventID) string {
	for i, id := range want {
		if i >= len(got) {
			return fmt.Sprintf("; the first that is missing is number %d, %s", i, id)
		}
		if got[i] != id {
			return fmt.Sprintf("; number %d is %s, not %s", i, got[i], id)
		}
	}
	return "; more than that"
}

// verifyAnew reads the whole room as a device that logs in now.
func (w *world) verifyAnew(ctx context.Context, room matrix.RoomID) error {
	c := w.people[0].Other()
	if err := c.Login(ctx, w.people[0].name, password, ""); err != nil {
		return fmt.Errorf("logging in: %w", err)
	}
	var events []wire.Event
	for from := ""; ; {
		page, err := c.Messages(ctx, room, "f", from, 100)
		if err != nil {
			return fmt.Errorf("reading a room: %w", err)
		}
		events = append(events, page.Chunk...)
		if from = page.End; from == "" || len(page.Chunk) == 0 {
			break
		}
	}
	if err := w.verifyMessages(room, events); err != nil {
		return fmt.Errorf("what a new device reads: %w", err)
	}
	redacted := make(map[matrix.EventID]bool)
	for _, e := range events {
		if e.Type == "m.room.message" && strings.TrimSpace(string(e.Content)) == "{}" {
			redacted[e.ID] = true
		}
	}
	for _, wr := range w.writers {
		for id := range wr.redacted {
			if slices.Contains(wr.sent[room], id) && !redacted[id] {
				return fmt.Errorf("%s is not redacted", id)
			}
		}
	}
	return nil
}

// verifySettings checks what is set and set again: the last acknowledged
// number must be there.
func (w *world) verifySettings(ctx context.Context, wr *writer) error {
	var data, note struct{ N int }
	var name string
	if err := wr.who.AccountData(ctx, "", "hearth.crash", &data); err != nil && wr.data > 0 {
		return fmt.Errorf("reading account data of %s: %w", wr.who.name, err)
	}
	if err := wr.who.ProfileField(ctx, wr.who.User, "displayname", &name); err != nil && wr.name > 0 {
		return fmt.Errorf("reading the name of %s: %w", wr.who.name, err)
	}
	for _, room := range w.rooms {
		var n struct{ N int }
		if err := wr.who.State(ctx, room, "hearth.note", wr.who.name, &n); err == nil {
			note.N = max(note.N, n.N)
		}
	}
	if data.N != wr.data || note.N != wr.note || wr.name > 0 && name != fmt.Sprintf("Name %d", wr.name) {
		return fmt.Errorf("%s has account data %d, state %d and the name %q; acknowledged were %d, %d and %d",
			wr.who.name, data.N, note.N, name, wr.data, wr.note, wr.name)
	}
	return nil
}
