package badgerstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"hearth/storage/blob"
)

// Verify re-reads the namespace and re-hashes it, and checks all files of the store: every byte that a read depends on.
func (s *space) Verify(ctx context.Context, damaged func(blob.Damage)) (blob.Verified, error) {
	v := verifier{space: s, ctx: ctx, report: damaged}
	if err := v.files(); err != nil {
		return v.found, err
	}
	for _, kind := range []byte{kindBlob, kindRow, kindCommit, kindHistory, kindSession} {
		if err := v.entries(kind); err != nil {
			return v.found, err
		}
	}
	return v.found, nil
}

// verifier is a Verify under way.
type verifier struct {
	space  *space
	ctx    context.Context
	report func(blob.Damage)
	found  blob.Verified
	bad    []badRange

	checker tableChecker
}

func (v *verifier) damage(what, name string, err error) {
	v.found.Damaged++
	v.report(blob.Damage{What: what, Name: name, Detail: err.Error()})
}

func (v *verifier) files() error {
	d := v.space.db
	for _, g := range d.damaged {
		v.damage(g.What, g.Name, errors.New(g.Detail))
	}
	for _, t := range guardedTables(d.engine.tables()) {
		if err := canceled(v.ctx, "verifying"); err != nil {
			return err
		}
		v.table(t)
	}
	if err := v.manifest(); err != nil {
		return err
	}
	if err := v.reserve(); err != nil {
		return err
	}
	return d.committer.log.verify(func(path string, err error) { v.damage("file", path, err) })
}

func (v *verifier) table(t guarded) {
	d := v.space.db
	path := tablePath(d.engine.dir, t.id)
	blocks, _, err := v.checker.check(path)
	if (err != nil || len(blocks) > 0) && !d.engine.hasTable(t.id) {
		return // merged into others meanwhile, and removed
	}
	if err != nil {
		blocks = []badBlock{{from: t.from, err: err}}
	}
	for _, b := range blocks {
		v.damage("file", path, fmt.Errorf("at byte %d: %w", b.offset, b.err))
		if b.to == nil {
			b.to = t.to
		}
		v.bad = append(v.bad, badRange{path: path, from: b.from, to: b.to, block: b})
	}
}

func (e *engine) hasTable(id uint64) bool {
	for _, t := range e.tables() {
		if t.ID == id {
			return true
		}
	}
	return false
}

// manifest checks Badger's list of tables, which Badger may be writing.
func (v *verifier) manifest() error {
	path := filepath.Join(v.space.db.engine.dir, "MANIFEST")
	var err error
	for range 3 {
		var data []byte
		if data, err = os.ReadFile(path); err != nil {
			return fmt.Errorf("verifying: %w", err)
		}
		if _, err = checkManifest(data); err == nil {
			return nil
		}
	}
	v.damage("file", path, err)
	return nil
}

// reserve checks that the file that holds only space does.
func (v *verifier) reserve() error {
	path := filepath.Join(v.space.db.dir, "reserve")
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("verifying: %w", err)
	}
	defer f.Close()
	buf, zeros := make([]byte, zeroPiece), make([]byte, zeroPiece)
	for at := int64(0); ; at += int64(len(buf)) {
		n, err := f.ReadAt(buf, at)
		if !bytes.Equal(buf[:n], zeros[:n]) {
			v.damage("file", path, fmt.Errorf("near byte %d: not zero", at))
			return nil
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("verifying: %w", err)
		}
	}
}

// verify re-reads the records of the log.
func (j *journal) verify(damage func(path string, err error)) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, s := range j.segments {
		path := segmentPath(j.dir, s.number)
		buf, err := readWhole(path)
		if err != nil {
			return err
		}
		got, err := scanSegment(path, buf[:min(s.end, int64(len(buf)))], s.number, j.salt, func(record) error { return nil })
		if err == nil && got.end != s.end {
			err = damagedAt(path, got.end, "the group is damaged")
		}
		if err != nil {
			damage(path, err)
		}
	}
	return nil
}

// entries re-reads everything of one kind in the namespace.
func (v *verifier) entries(kind byte) error {
	from := appendSpace(nil, kind, v.space.name)
	s := v.space.db.newScan(from, blob.PrefixEnd(from), false)
	defer s.close()
	s.broken = func(key []byte, err error) {
		what, name := describe(key)
		v.damage(what, name, errors.Unwrap(err))
	}
	for {
		if err := canceled(v.ctx, "verifying"); err != nil {
			return err
		}
		page, done, err := s.page(0)
		for _, e := range page {
			v.entry(kind, e)
		}
		if err != nil {
			if !v.skip(s) {
				return err
			}
			continue
		}
		if done {
			return nil
		}
	}
}

func (v *verifier) entry(kind byte, e entry) {
	v.found.Bytes += uint64(len(e.key) + len(e.data))
	var err error
	switch kind {
	case kindBlob:
		v.found.Blobs++
	case kindRow:
		v.found.Rows++
	case kindCommit:
		v.found.Roots++
		_, err = readCommit(e.data)
	case kindHistory:
		_, err = readCommit(e.data)
	case kindSession:
		_, err = readSession(e.data)
	}
	if err != nil {
		what, name := describe(e.key)
		v.damage(what, name, err)
	}
}

// skip moves a scan on which Badger failed behind the damage that it met, and reports whether there was one.
func (v *verifier) skip(s *scan) bool {
	for _, b := range v.bad {
		if !overlap(s.from, s.to, b.from, b.to) {
			continue
		}
		if b.to == nil {
			s.from = s.to
		} else {
			s.from = append(slices.Clone(b.to), 0)
		}
		return true
	}
	return false
}
