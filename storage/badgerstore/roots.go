package badgerstore

import (
	"context"

	"hearth/storage/blob"
)

// Root returns the newest commit of the named root.
func (s *space) Root(ctx context.Context, name string) (blob.Commit, bool, error) {
	c, err := s.current(ctx, name)
	if err != nil || c.Hash.IsZero() {
		return blob.Commit{}, false, err
	}
	return c, true, nil
}

func (s *space) current(ctx context.Context, name string) (blob.Commit, error) {
	if err := canceled(ctx, "reading root "+name); err != nil {
		return blob.Commit{}, err
	}
	if err := blob.CheckRootName(name); err != nil {
		return blob.Commit{}, err
	}
	return s.db.readCommit(appendCommitKey(nil, s.name, name))
}

// History returns the commits of the named root that were kept, newest first, with the current one.
func (s *space) History(ctx context.Context, name string, limit int) ([]blob.Commit, error) {
	const op = "reading history"
	if limit < 0 || limit > blob.MaxHistory {
		return nil, blob.Errorf(blob.TooLarge, op, "limit %d, at most %d", limit, blob.MaxHistory)
	}
	current, err := s.current(ctx, name)
	if err != nil || current.Seq == 0 || limit == 0 {
		return nil, err
	}
	out := []blob.Commit{current}
	from := appendHistoryKey(nil, s.name, name, 0)
	to := appendHistoryKey(nil, s.name, name, current.Seq)
	sc := s.db.newScan(from, to, true)
	defer sc.close()
	for len(out) < limit {
		if err := canceled(ctx, op); err != nil {
			return nil, err
		}
		page, done, err := sc.page(limit - len(out))
		if err != nil {
			return nil, err
		}
		for _, e := range page {
			c, err := readCommit(e.data)
			if err != nil {
				return nil, corrupt(e.key, err)
			}
			out = append(out, c)
		}
		if done {
			break
		}
	}
	return out, nil
}

// RootNames returns the names of all existing roots that begin with prefix.
func (s *space) RootNames(ctx context.Context, prefix string) ([]string, error) {
	from := appendCommitKey(nil, s.name, prefix)
	skip := len(from) - len(prefix)
	var names []string
	err := s.db.eachEntry(ctx, from, blob.PrefixEnd(from), func(e entry) error {
		c, err := readCommit(e.data)
		if err != nil {
			return corrupt(e.key, err)
		}
		if !c.Hash.IsZero() {
			names = append(names, string(e.key[skip:]))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return names, nil
}
