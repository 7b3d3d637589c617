package badgerstore

import (
	"time"

	"hearth/storage/blob"
)

// evaluation turns the batches of one group into operations, each seeing what those before it did.
type evaluation struct {
	db       *DB
	now      time.Time
	roots    map[string]blob.Commit // that this group edits or asserts, as it leaves them, by their keys
	before   map[string]blob.Commit // of the last group that was written, which may not be applied yet
	sessions map[string]*session    // of late, by their keys
	touched  map[string]*session    // of this group
}

const maxSessions = 1024 // kept at hand

// begin begins a group. It returns true if the one before must be applied first.
func (e *evaluation) begin(db *DB) bool {
	e.db, e.now = db, db.opt.Now()
	e.roots = make(map[string]blob.Commit)
	e.touched = make(map[string]*session)
	if e.sessions != nil && len(e.sessions) <= maxSessions {
		return false
	}
	e.sessions = make(map[string]*session)
	return true
}

// keep ends a group; if it was not written, what it would have changed is forgotten.
func (e *evaluation) keep(written bool) {
	if written {
		e.before = e.roots
	} else {
		e.sessions = nil
	}
}

// end appends the sessions that the group touched.
func (e *evaluation) end(ops []byte) []byte {
	for key, s := range e.touched {
		ops = appendSealed(ops, []byte(key), s.append(nil))
	}
	return ops
}

// batch appends the operations of one batch, or returns why it changes nothing.
func (e *evaluation) batch(ops []byte, r *request) ([]byte, error) {
	b := r.batch
	if err := b.Check(); err != nil {
		return ops, err
	}
	if b.ID == (blob.BatchID{}) {
		out, _, err := e.change(ops, r)
		return out, err
	}
	if b.ID.Seq == 0 || b.ID.Seq >= maxSessionSeq {
		return ops, blob.Errorf(blob.Invalid, "applying batch", "sequence number %d", b.ID.Seq)
	}
	key := string(appendSessionKey(nil, r.space.name, b.ID.Session))
	s, err := e.session(key)
	if err != nil {
		return ops, err
	}
	if answer, known := s.answer(b.ID.Seq); known {
		return ops, answer
	}
	out, conflict, err := e.change(ops, r)
	if err != nil && conflict == "" {
		return ops, err // may be tried again
	}
	s.note(b.ID.Seq, conflict, e.now)
	e.touched[key] = s
	return out, err
}

func (e *evaluation) session(key string) (*session, error) {
	if s := e.sessions[key]; s != nil {
		return s, nil
	}
	s := &session{}
	data, err := e.db.readOne([]byte(key))
	if err == nil && data != nil {
		s, err = readSession(data)
		if err != nil {
			err = corrupt([]byte(key), err)
		}
	}
	if err != nil {
		return nil, err
	}
	e.sessions[key] = s
	return s, nil
}

// change appends what the batch changes. If a root stands elsewhere than its edit says, conflict is its name.
func (e *evaluation) change(ops []byte, r *request) (out []byte, conflict string, err error) {
	b, ns := r.batch, r.space.name
	current := make([]blob.Commit, len(b.Roots))
	for i := range b.Roots {
		edit := &b.Roots[i]
		c, err := e.root(appendCommitKey(nil, ns, edit.Name))
		if err != nil {
			return ops, "", err
		}
		if c.Hash != edit.Old {
			return ops, edit.Name, blob.Errorf(blob.Conflict, "editing root "+edit.Name, "it names %v, not %v", c.Hash, edit.Old)
		}
		current[i] = c
	}
	var key []byte
	for _, data := range b.Blobs {
		key = appendBlobKey(key[:0], ns, blob.Sum(data))
		ops = appendSealed(ops, key, data)
	}
	for i := range b.Rows {
		row := &b.Rows[i]
		key = appendRowKey(key[:0], ns, row.Table, row.Key)
		if row.Value == nil {
			ops = appendOp(ops, key, nil)
		} else {
			ops = appendSealed(ops, key, row.Value)
		}
	}
	for i := range b.Roots {
		ops = e.edit(ops, ns, &b.Roots[i], current[i])
	}
	return ops, "", nil
}

// root returns the current commit under a key, as the group so far has it.
func (e *evaluation) root(key []byte) (blob.Commit, error) {
	if c, ok := e.roots[string(key)]; ok {
		return c, nil
	}
	c, ok := e.before[string(key)]
	if !ok {
		var err error
		if c, err = e.db.readCommit(key); err != nil {
			return c, err
		}
	}
	e.roots[string(key)] = c // also for the next group: a writer asserts the same root with each batch
	return c, nil
}

// edit appends a commit; an edit to what is there already only asserts that.
func (e *evaluation) edit(ops []byte, ns string, edit *blob.RootEdit, old blob.Commit) []byte {
	if edit.Old == edit.New {
		return ops
	}
	if edit.Keep && old.Seq > 0 {
		ops = appendSealed(ops, appendHistoryKey(nil, ns, edit.Name, old.Seq), appendCommit(nil, &old))
	}
	c := blob.Commit{Hash: edit.New, Parent: old.Hash, Seq: old.Seq + 1, Time: edit.Time, Message: edit.Message}
	key := appendCommitKey(nil, ns, edit.Name)
	e.roots[string(key)] = c
	return appendSealed(ops, key, appendCommit(nil, &c))
}
