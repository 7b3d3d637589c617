package account

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"strings"
	"sync"

	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/storage/blob"
)

// Deactivate ends an account for good: its password, sessions, devices and profile are gone when this returns, and
// its id is never given out again. What takes longer (leaving rooms, removing data) waits in a queue that Departing
// yields. With erase, what the user wrote is shown redacted to those who come later; it can be asked for afterwards
// too. Deactivating twice is once.
//
// Error: M_NOT_FOUND (404).
// spec: client-server-api#post_matrixclientv3accountdeactivate
func (a *Accounts) Deactivate(ctx context.Context, id matrix.UserID, erase bool) error {
	unlock, err := a.lock(ctx, id)
	if err != nil {
		return err
	}
	defer unlock()
	u, err := a.User(ctx, id)
	if err != nil {
		return err
	}
	if u == nil {
		return matrix.Errorf(http.StatusNotFound, matrix.MNotFound, "There is no user %s", id)
	}
	if u.Deactivated && (u.Erased || !erase) {
		return nil
	}
	devices, err := a.Devices(ctx, id)
	if err != nil {
		return err
	}
	u.Deactivated, u.Admin, u.Erased, u.password = true, false, u.Erased || erase, ""
	a.sessions.removeUser(id)
	_, err = a.apply(ctx, func(tx *store.Tx) {
		tx.Set(tableUsers, []byte(id), appendUser(nil, u))
		tx.Set(tableDeparting, []byte(id), []byte{})
		if u.Erased {
			tx.Set(tableErased, []byte(id), []byte{})
		}
		tx.Delete(tableProfiles, []byte(id))
		tx.Note(store.Note{Kind: store.KindProfile, User: id})
		deleteDevices(tx, id, devices)
	})
	if err != nil {
		return fmt.Errorf("deactivating %s: %w", id, err)
	}
	if u.Erased {
		a.erased.add(id)
	}
	select {
	case a.departing <- struct{}{}:
	default:
	}
	return nil
}

// Departure is a user who is gone, or only a device that is gone, and of whom or which others may still keep something.
type Departure struct {
	User   matrix.UserID
	Device string // "" for the user
}

// Departing yields who and what is gone and not Departed yet, users before their devices.
func (a *Accounts) Departing(ctx context.Context) iter.Seq2[Departure, error] {
	return func(yield func(Departure, error) bool) {
		for row, err := range a.store.Scan(ctx, blob.Range{Table: tableDeparting}) {
			if err != nil {
				yield(Departure{}, fmt.Errorf("reading who is departing: %w", err))
				return
			}
			user, device, _ := strings.Cut(string(row.Key), "\x00")
			if !yield(Departure{matrix.UserID(user), device}, nil) {
				return
			}
		}
	}
}

func (d Departure) row() []byte {
	if d.Device == "" {
		return []byte(d.User)
	}
	return key(d.User, d.Device)
}

// IsDeparting reports whether Departing would yield d.
func (a *Accounts) IsDeparting(ctx context.Context, d Departure) (bool, error) {
	row, err := a.store.Row(ctx, tableDeparting, d.row())
	if err != nil {
		return false, fmt.Errorf("reading whether %s is departing: %w", d.User, err)
	}
	return row != nil, nil
}

// Departures is signalled when a user may have been added to those whom Departing yields. It has one reader.
func (a *Accounts) Departures() <-chan struct{} { return a.departing }

// Departed says that nothing is kept any more of who or what is gone, and for a user removes the account data.
func (a *Accounts) Departed(ctx context.Context, d Departure) error {
	unlock, err := a.lock(ctx, d.User)
	if err != nil {
		return err
	}
	defer unlock()
	if d.Device == "" {
		for _, table := range []string{tableData, tableFilters} {
			if err := a.removeRows(ctx, table, key(d.User)); err != nil {
				return fmt.Errorf("removing the data of %s: %w", d.User, err)
			}
		}
	}
	if _, err = a.apply(ctx, func(tx *store.Tx) { tx.Delete(tableDeparting, d.row()) }); err != nil {
		return fmt.Errorf("finishing the departure of %s: %w", d.User, err)
	}
	return nil
}

// removePage is how many rows are removed by one change.
const removePage = 500

// removeRows removes the rows of a table whose keys have the prefix, a page at a time.
func (a *Accounts) removeRows(ctx context.Context, table string, prefix []byte) error {
	for {
		r := blob.Prefix(table, prefix)
		r.Limit = removePage
		var keys [][]byte
		for row, err := range a.store.Scan(ctx, r) {
			if err != nil {
				return err
			}
			keys = append(keys, slices.Clone(row.Key))
		}
		if len(keys) == 0 {
			return nil
		}
		_, err := a.apply(ctx, func(tx *store.Tx) {
			for _, k := range keys {
				tx.Delete(table, k)
			}
		})
		if err != nil || len(keys) < removePage {
			return err
		}
	}
}

// erased remembers who asked for erasure, read from the disk once it is first asked for. It takes about 100 bytes for
// each. The zero value is ready for use.
type erased struct {
	mu     sync.RWMutex // guards the fields below
	loaded bool
	users  map[matrix.UserID]bool
}

func (e *erased) add(id matrix.UserID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.users == nil {
		e.users = make(map[matrix.UserID]bool)
	}
	e.users[id] = true
}

func (e *erased) get(id matrix.UserID) (yes, loaded bool) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.users[id], e.loaded
}

// Erased reports whether a user asked that whoever comes later does not see what the user wrote.
func (a *Accounts) Erased(ctx context.Context, id matrix.UserID) (bool, error) {
	yes, loaded := a.erased.get(id)
	if yes || loaded {
		return yes, nil
	}
	for row, err := range a.store.Scan(ctx, blob.Range{Table: tableErased}) {
		if err != nil {
			return false, fmt.Errorf("reading who is erased: %w", err)
		}
		a.erased.add(matrix.UserID(row.Key))
	}
	a.erased.mu.Lock()
	a.erased.loaded = true
	a.erased.mu.Unlock()
	yes, _ = a.erased.get(id)
	return yes, nil
}
