package directory

import (
	"encoding/hex"
	"testing"

	"hearth/storage/blob"
)

func TestPublished(t *testing.T) {
	d, g := newDirectory(t)
	ctx := t.Context()
	want := func(network string, on bool) {
		t.Helper()
		got, err := d.IsPublished(ctx, network, 7)
		must(t, err)
		if got != on {
			t.Errorf("listed by %q: %v, want %v", network, got, on)
		}
	}
	want(Main, false)
	must(t, d.SetPublished(ctx, Main, 7, true))
	want(Main, true)
	want("irc", false)
	must(t, d.SetPublished(ctx, "irc", 7, true))
	must(t, d.SetPublished(ctx, Main, 7, true))
	for row, err := range g.Scan(ctx, blob.Range{Table: tablePublished, Limit: 1}) {
		must(t, err)
		if got := hex.EncodeToString(row.Key); got != "000000000000000007" { // the example of the package comment
			t.Errorf("the key is %s", got)
		}
	}
	d = reopen(t, g)
	var all []listing
	for l, err := range d.published(ctx) {
		must(t, err)
		all = append(all, l)
	}
	if len(all) != 2 || all[0] != (listing{Main, 7}) || all[1] != (listing{"irc", 7}) {
		t.Errorf("listed are %v", all)
	}
	must(t, d.SetPublished(ctx, Main, 7, false))
	want(Main, false)
	want("irc", true)
}

func TestPublishingFails(t *testing.T) {
	d, g := newDirectory(t)
	g.refuse = true
	if err := d.SetPublished(t.Context(), Main, 7, true); err == nil {
		t.Error("a room is published though nothing is written")
	}
	g.refuse = false
	if on, err := d.IsPublished(t.Context(), Main, 7); err != nil || on {
		t.Error(on, err)
	}
}
