package blobtest

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"time"

	"hearth/storage/blob"
)

// Apply applies the batch whole or not at all.
func (m *Memory) Apply(ctx context.Context, b *blob.Batch) error {
	if err := canceled(ctx, "applying batch"); err != nil {
		return err
	}
	answer := make(chan error, 1)
	m.ApplyAsync(b, func(err error) { answer <- err })
	return <-answer
}

// ApplyAsync queues the batch and calls done from a goroutine of its own.
func (m *Memory) ApplyAsync(b *blob.Batch, done func(error)) {
	m.queueMu.Lock()
	defer m.queueMu.Unlock()
	m.queue = append(m.queue, func() { done(m.apply(b)) })
	if !m.working {
		m.working = true
		go m.work()
	}
}

// work empties the queue and ends.
func (m *Memory) work() {
	for {
		m.queueMu.Lock()
		if len(m.queue) == 0 {
			m.working = false
			m.queueMu.Unlock()
			return
		}
		next := m.queue[0]
		m.queue = m.queue[1:]
		m.queueMu.Unlock()
		next()
	}
}

func (m *Memory) apply(b *blob.Batch) error {
	if err := b.Check(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if b.ID == (blob.BatchID{}) {
		return m.change(b)
	}
	s := m.sessions[b.ID.Session]
	if s == nil {
		s = &session{answers: make(map[uint64]error)}
		m.sessions[b.ID.Session] = s
	}
	if answer, ok := s.answers[b.ID.Seq]; ok {
		return answer
	}
	if b.ID.Seq+blob.ResendWindow <= s.last {
		return blob.Errorf(blob.Invalid, "applying batch", "sequence number %d, %d was applied", b.ID.Seq, s.last)
	}
	err := m.change(b)
	s.answers[b.ID.Seq] = err
	s.last = max(s.last, b.ID.Seq)
	for seq := range s.answers {
		if seq+blob.ResendWindow <= s.last {
			delete(s.answers, seq)
		}
	}
	return err
}

func (m *Memory) change(b *blob.Batch) error {
	for i := range b.Roots {
		if e := &b.Roots[i]; m.current(e.Name).Hash != e.Old {
			return blob.Errorf(blob.Conflict, "editing root "+e.Name, "it names %v, not %v", m.current(e.Name).Hash, e.Old)
		}
	}
	for _, data := range b.Blobs {
		h := blob.Sum(data)
		m.blobs[h] = append([]byte{}, data...)
		delete(m.damaged, h)
	}
	for _, r := range b.Rows {
		t := m.tables[r.Table]
		if t == nil {
			t = &table{}
			m.tables[r.Table] = t
		}
		r.Key = bytes.Clone(r.Key)
		r.Value = bytes.Clone(r.Value)
		t.set(r)
	}
	for i := range b.Roots {
		m.edit(&b.Roots[i])
	}
	m.stats.Batches++
	m.stats.Groups++
	m.stats.LogicalBytes += uint64(b.Size())
	return nil
}

func (m *Memory) current(name string) blob.Commit {
	if r := m.roots[name]; r != nil {
		return r.commits[len(r.commits)-1]
	}
	return blob.Commit{}
}

// edit appends a commit; an edit to what is there already only asserts that.
func (m *Memory) edit(e *blob.RootEdit) {
	if e.Old == e.New {
		return
	}
	old := m.current(e.Name)
	r := m.roots[e.Name]
	if r == nil {
		r = &root{}
		m.roots[e.Name] = r
	}
	if n := len(r.commits); n > 0 && !e.Keep {
		r.commits = r.commits[:n-1]
	}
	r.commits = append(r.commits, blob.Commit{
		Hash: e.New, Parent: old.Hash, Seq: old.Seq + 1,
		Time: time.UnixMilli(e.Time.UnixMilli()).UTC(), Message: e.Message,
	})
}

// Root returns the newest commit of the named root.
func (m *Memory) Root(ctx context.Context, name string) (blob.Commit, bool, error) {
	if err := canceled(ctx, "reading root "+name); err != nil {
		return blob.Commit{}, false, err
	}
	if err := blob.CheckRootName(name); err != nil {
		return blob.Commit{}, false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.current(name)
	if c.Hash.IsZero() {
		return blob.Commit{}, false, nil
	}
	return c, true, nil
}

// History returns the commits of the named root that were kept, newest first.
func (m *Memory) History(ctx context.Context, name string, limit int) ([]blob.Commit, error) {
	if err := canceled(ctx, "reading history of root "+name); err != nil {
		return nil, err
	}
	if err := blob.CheckRootName(name); err != nil {
		return nil, err
	}
	if limit < 0 || limit > blob.MaxHistory {
		return nil, blob.Errorf(blob.TooLarge, "reading history", "limit %d, at most %d", limit, blob.MaxHistory)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.roots[name]
	if r == nil {
		return nil, nil
	}
	out := slices.Clone(r.commits)
	slices.Reverse(out)
	return out[:min(limit, len(out))], nil
}

// RootNames returns the names of all existing roots that begin with prefix.
func (m *Memory) RootNames(ctx context.Context, prefix string) ([]string, error) {
	if err := canceled(ctx, "listing roots"); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var names []string
	for name := range m.roots {
		if strings.HasPrefix(name, prefix) && !m.current(name).Hash.IsZero() {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}
