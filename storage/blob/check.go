package blob

// Check reports whether the batch keeps the contract's limits; every store calls it first in Apply.
func (b *Batch) Check() error {
	const op = "checking batch"
	if n := len(b.Blobs) + len(b.Rows) + len(b.Roots); n > MaxBatchOps {
		return Errorf(TooLarge, op, "%d operations, at most %d", n, MaxBatchOps)
	}
	if n := b.Size(); n > MaxBatch {
		return Errorf(TooLarge, op, "%d bytes, at most %d", n, MaxBatch)
	}
	for _, p := range b.Blobs {
		if len(p) > MaxBlob {
			return Errorf(TooLarge, op, "a blob of %d bytes, at most %d", len(p), MaxBlob)
		}
	}
	for i := range b.Rows {
		r := &b.Rows[i]
		if err := checkRowKey(op, r.Table, r.Key); err != nil {
			return err
		}
		if len(r.Value) > MaxValue {
			return Errorf(TooLarge, op, "a value of %d bytes in table %s, at most %d", len(r.Value), r.Table, MaxValue)
		}
	}
	seen := make(map[string]bool, len(b.Roots))
	for i := range b.Roots {
		r := &b.Roots[i]
		if err := CheckRootName(r.Name); err != nil {
			return err
		}
		if len(r.Message) > MaxMessage {
			return Errorf(TooLarge, op, "a commit message of %d bytes, at most %d", len(r.Message), MaxMessage)
		}
		if seen[r.Name] {
			return Errorf(Invalid, op, "root %q edited twice", r.Name)
		}
		seen[r.Name] = true
	}
	return nil
}

// CheckRows reports whether a multi-get of rows keeps the limits.
func CheckRows(keys []RowKey) error {
	const op = "reading rows"
	if len(keys) > MaxMulti {
		return Errorf(TooLarge, op, "%d keys, at most %d", len(keys), MaxMulti)
	}
	for i := range keys {
		if err := checkRowKey(op, keys[i].Table, keys[i].Key); err != nil {
			return err
		}
	}
	return nil
}

// CheckRange reports whether a scan's range is well-formed.
func CheckRange(r Range) error {
	if r.Limit < 0 {
		return Errorf(Invalid, "scanning", "negative limit %d", r.Limit)
	}
	if !validName(r.Table, MaxTable) {
		return Errorf(Invalid, "scanning", "table name %q", r.Table)
	}
	if len(r.From) > MaxKey || len(r.To) > MaxKey {
		return Errorf(TooLarge, "scanning", "a bound longer than %d bytes", MaxKey)
	}
	return nil
}

// CheckRootName reports whether name can name a root.
func CheckRootName(name string) error {
	if len(name) == 0 || len(name) > MaxName {
		return Errorf(Invalid, "checking root name", "%d bytes, want 1 to %d", len(name), MaxName)
	}
	return nil
}

// CheckNamespace reports whether name can name a namespace.
func CheckNamespace(name string) error {
	if !validName(name, MaxNamespace) {
		return Errorf(Invalid, "checking namespace", "%q", name)
	}
	return nil
}

func checkRowKey(op, table string, key []byte) error {
	if !validName(table, MaxTable) {
		return Errorf(Invalid, op, "table name %q", table)
	}
	if len(key) == 0 {
		return Errorf(Invalid, op, "empty key in table %s", table)
	}
	if len(key) > MaxKey {
		return Errorf(TooLarge, op, "a key of %d bytes in table %s, at most %d", len(key), table, MaxKey)
	}
	return nil
}

func validName(s string, limit int) bool {
	if len(s) == 0 || len(s) > limit {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' && c != '-' {
			return false
		}
	}
	return true
}
