package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"iter"
	"slices"
	"time"

	"hearth/dnsprimary/dnssec"
	"hearth/dnsprimary/primary"
	"hearth/dnsprimary/zone"
	"hearth/storage/blob"
	"hearth/storage/merkle"
)

// namespace is this program's in the storage program.
const namespace = "dnsprimary"

// In storage a zone is a map (see package zone) whose root is named "zone/" and the zone's name; each version is a
// commit that says who made it, so that there is a log, and something to undo. Beside it are
//
//	root   file/ZONE     the map of what dnsprimary load read last
//	root   own/ZONE      the map of the records that the upkeep made
//	table  key           ZONE, 0x00, number (8 bytes)   a DNSSEC key (see package dnssec)
//	table  seen          time (8 bytes), MAC (16 bytes)  what an update was answered that was signed then: its rcode (1 byte)
//	table  self          name                           what the program keeps for itself: "cookies" is the secret of cookies
const (
	rootZone = "zone/"
	rootFile = "file/"
	rootOwn  = "own/"

	tableKeys = "key"
	tableSeen = "seen"
	tableSelf = "self"
)

// archive keeps zones in storage.
type archive struct {
	store blob.Store
	now   func() time.Time
}

// version is a zone as it was at one commit.
type version struct {
	zone    *zone.Zone
	commit  blob.Commit
	changes int // record sets that differ from the version after it; 0 if that is not known
}

// zone returns the newest version of a zone, nil if there is none.
func (a *archive) zone(ctx context.Context, root string, origin zone.Name) (*version, error) {
	commit, ok, err := a.store.Root(ctx, root+origin.String())
	if err != nil {
		return nil, fmt.Errorf("reading the zone %s: %w", origin, err)
	}
	if !ok {
		return nil, nil
	}
	z, err := a.load(ctx, origin, commit.Hash)
	if err != nil {
		return nil, err
	}
	return &version{zone: z, commit: commit}, nil
}

func (a *archive) load(ctx context.Context, origin zone.Name, root blob.Hash) (*zone.Zone, error) {
	var failed error
	entries := func(yield func(key, value []byte) bool) {
		if root.IsZero() {
			return
		}
		for e, err := range merkle.Scan(ctx, a.store, root, nil, nil) {
			if failed = err; err != nil || !yield(e.Key, e.Value) {
				return
			}
		}
	}
	z, err := zone.Load(origin, iter.Seq2[[]byte, []byte](entries))
	if failed != nil {
		err = failed
	}
	if err != nil {
		return nil, fmt.Errorf("reading the zone %s: %w", origin, err)
	}
	return z, nil
}

// history yields up to limit versions of a zone, the newest first, of which v is the newest. They share what they have in
// common, but many of a big zone that was signed anew each time are more than memory has: so they come one by one. The
// last is the one before which more than most record sets changed at once.
func (a *archive) history(ctx context.Context, origin zone.Name, v *version, limit, most int) iter.Seq2[version, error] {
	return func(yield func(version, error) bool) {
		commits, err := a.store.History(ctx, rootZone+origin.String(), limit)
		if err != nil {
			yield(version{}, fmt.Errorf("reading the log of %s: %w", origin, err))
			return
		}
		one := *v
		for i := range commits {
			if i > 0 {
				if one, err = a.earlier(ctx, one, commits[i], most); err != nil {
					yield(version{}, fmt.Errorf("reading an earlier version of %s: %w", origin, err))
					return
				}
				if one.changes > most {
					return
				}
			}
			if !yield(one, nil) || i+1 < len(commits) && commits[i+1].Hash.IsZero() {
				return
			}
		}
	}
}

// earlier returns the version before another. If more than most record sets differ, it is not whole.
func (a *archive) earlier(ctx context.Context, v version, commit blob.Commit, most int) (version, error) {
	e, changes := v.zone.Edit(), 0
	for change, err := range merkle.Diff(ctx, a.store, v.commit.Hash, commit.Hash) {
		if err == nil {
			err = e.SetEntry(change.Key, change.B)
		}
		if err != nil {
			return version{}, err
		}
		if changes++; changes > most {
			break
		}
	}
	return version{e.Zone(), commit, changes}, nil
}

// maxPart is how much of a large change goes into one batch, in bytes.
const maxPart = blob.MaxBatch / 2

// draft is a change that is being put together.
type draft struct {
	*archive
	ctx   context.Context
	batch blob.Batch
}

func (a *archive) draft(ctx context.Context) *draft { return &draft{archive: a, ctx: ctx} }

// put moves the root of a zone from one version, which may be none, to another, and returns both as they are then.
func (d *draft) put(root string, from version, to *zone.Zone, message string) (old, next version, err error) {
	origin := to.Origin()
	var edits []merkle.Edit
	for e := range zone.EntriesOf(from.zone, to) {
		edits = append(edits, merkle.Edit{Key: e.Key, Value: e.Value})
	}
	hash := from.commit.Hash
	var failed error
	made, err := merkle.Apply(d.ctx, d.store, hash, edits, func(data []byte) blob.Hash {
		h := d.batch.Put(data)
		if d.batch.Size() > maxPart && failed == nil { // nothing refers to these yet
			failed = d.store.Apply(d.ctx, &d.batch)
			d.batch = blob.Batch{}
		}
		return h
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		return from, version{}, fmt.Errorf("writing the zone %s: %w", origin, err)
	}
	if len(message) > blob.MaxMessage {
		message = message[:blob.MaxMessage]
	}
	d.batch.Roots = append(d.batch.Roots, blob.RootEdit{Name: root + origin.String(), Old: hash, New: made, Keep: true, Time: d.now(), Message: message})
	from.changes = len(edits)
	return from, version{zone: to, commit: blob.Commit{Hash: made}}, nil
}

// keys writes the DNSSEC keys of a zone.
func (d *draft) keys(origin zone.Name, keys []*dnssec.Key) {
	for i, k := range keys {
		d.batch.Set(tableKeys, keyRow(origin, i), k.Append(nil))
	}
}

// mark remembers an update; nil is none.
func (d *draft) mark(m *primary.Mark) {
	if m != nil {
		d.batch.Set(tableSeen, append(binary.BigEndian.AppendUint64(nil, uint64(m.Time)), m.MAC[:]...), []byte{byte(m.Rcode)})
	}
}

// marks reads which updates were answered.
func (a *archive) marks(ctx context.Context) (marks []primary.Mark, err error) {
	for row, err := range a.store.Scan(ctx, blob.Prefix(tableSeen, nil)) {
		if err != nil {
			return nil, fmt.Errorf("reading which updates were answered: %w", err)
		}
		if len(row.Key) == 24 && len(row.Value) == 1 {
			marks = append(marks, primary.Mark{Time: int64(binary.BigEndian.Uint64(row.Key)), MAC: [16]byte(row.Key[8:]), Rcode: int(row.Value[0])})
		}
	}
	return marks, nil
}

// maxForgotten bounds what is forgotten at a time.
const maxForgotten = 4096

// forget removes the marks of updates that were signed before a time.
func (a *archive) forget(ctx context.Context, before time.Time) error {
	d := a.draft(ctx)
	old := blob.Range{Table: tableSeen, To: binary.BigEndian.AppendUint64(nil, uint64(max(before.Unix(), 0))), Limit: maxForgotten}
	for row, err := range a.store.Scan(ctx, old) {
		if err != nil {
			return fmt.Errorf("reading which updates are over: %w", err)
		}
		d.batch.Delete(tableSeen, row.Key)
	}
	if d.batch.Empty() {
		return nil
	}
	return d.apply()
}

// apply makes the change durable.
func (d *draft) apply() error { return d.store.Apply(d.ctx, &d.batch) }

func keyRow(origin zone.Name, number int) []byte {
	return binary.BigEndian.AppendUint64(append([]byte(origin.String()), 0), uint64(number))
}

// keys reads the DNSSEC keys of a zone, in the order in which they were made.
func (a *archive) keys(ctx context.Context, origin zone.Name) (keys []*dnssec.Key, err error) {
	for row, err := range a.store.Scan(ctx, blob.Prefix(tableKeys, append([]byte(origin.String()), 0))) {
		if err != nil {
			return nil, fmt.Errorf("reading the keys of %s: %w", origin, err)
		}
		k, err := dnssec.ParseKey(row.Value)
		if err != nil {
			return nil, fmt.Errorf("reading the keys of %s: %w", origin, err)
		}
		keys = append(keys, k)
	}
	return keys, nil
}

// past returns the versions before v that are served, the oldest first.
func (a *archive) past(ctx context.Context, origin zone.Name, v *version) (past []version, err error) {
	sum := 0
	for one, err := range a.history(ctx, origin, v, primary.MaxHistory+1, mostChanges(v.zone)) {
		if err != nil {
			return nil, err
		}
		if sum += one.changes; sum > mostChanges(v.zone) {
			break
		}
		past = append(past, one)
	}
	slices.Reverse(past)
	return past[:max(len(past)-1, 0)], nil
}

// mostChanges is how many changes of a zone are remembered: from earlier versions an incremental transfer would be no
// shorter than a whole one, and they share so little with the zone that many of them would take memory as many zones do.
func mostChanges(z *zone.Zone) int { return max(z.Records()/2, 4096) }

// worthwhile returns the newest of the versions before z, without those that are not remembered.
func worthwhile(past []version, z *zone.Zone) []version {
	sum := 0
	for i, v := range slices.Backward(past) {
		if sum += v.changes; sum > mostChanges(z) || len(past)-i > primary.MaxHistory {
			return slices.Clone(past[i+1:]) // so that the rest is forgotten
		}
	}
	return past
}
