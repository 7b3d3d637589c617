package account

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"

	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/storage/blob"
)

// MaxFilters and MaxFilterBytes bound what one user's filters take.
const (
	MaxFilters     = 1000
	MaxFilterBytes = 1 << 20
)

// usage is how much of something a user has.
type usage struct{ rows, bytes uint64 }

func appendUsage(dst []byte, u usage) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(dst, u.rows), u.bytes)
}

func readUsage(data []byte) (usage, error) {
	if data == nil {
		return usage{}, nil
	}
	r := reader{data: data}
	u := usage{r.uvarint(), r.uvarint()}
	return u, r.end()
}

// PutFilter keeps a filter and returns its id, which depends on nothing but the filter: equal ones share a row.
//
// Errors: M_USER_LIMIT_EXCEEDED (403).
// spec: client-server-api#post_matrixclientv3useruseridfilter
func (a *Accounts) PutFilter(ctx context.Context, user matrix.UserID, filter []byte) (id string, err error) {
	sum := sha256.Sum256(filter)
	id = base64.RawURLEncoding.EncodeToString(sum[:12])
	unlock, err := a.lock(ctx, user)
	if err != nil {
		return "", err
	}
	defer unlock()
	rows, err := a.store.Rows(ctx, blob.RowKey{Table: tableFilters, Key: key(user, id)}, blob.RowKey{Table: tableFilters, Key: key(user)})
	if err != nil {
		return "", fmt.Errorf("reading a filter of %s: %w", user, err)
	}
	if rows[0] != nil {
		return id, nil
	}
	used, err := readUsage(rows[1])
	if err != nil {
		return "", fmt.Errorf("reading the number of filters of %s: %w", user, err)
	}
	used = usage{used.rows + 1, used.bytes + uint64(len(filter))}
	if used.rows > MaxFilters || used.bytes > MaxFilterBytes {
		return "", a.errUserLimit("You have too many filters")
	}
	_, err = a.apply(ctx, func(tx *store.Tx) {
		tx.Set(tableFilters, key(user, id), filter)
		tx.Set(tableFilters, key(user), appendUsage(nil, used))
	})
	if err != nil {
		return "", fmt.Errorf("writing a filter of %s: %w", user, err)
	}
	return id, nil
}

// Filter returns a filter of the user's, nil if there is none of that id.
func (a *Accounts) Filter(ctx context.Context, user matrix.UserID, id string) ([]byte, error) {
	if id == "" || len(id) > 64 {
		return nil, nil
	}
	row, err := a.store.Row(ctx, tableFilters, key(user, id))
	if err != nil {
		return nil, fmt.Errorf("reading a filter of %s: %w", user, err)
	}
	return row, nil
}
