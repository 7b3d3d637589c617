// Package directory finds rooms and people: room aliases.
//
// # Tables
//
//	alias  alias                     room id, 0x00, the user who made it
//	ralias room (8 bytes), alias     empty: the aliases of a room
package directory

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/storage/blob"
)

const (
	tableAliases     = "alias"
	tableRoomAliases = "ralias"
)

// maxAliases bounds the aliases of one room.
const maxAliases = 1000

// Directory keeps the aliases of this server.
type Directory struct {
	store *store.Store
	mu    sync.Mutex // guards busy
	busy  map[matrix.RoomAlias]bool
}

// New returns the directory over a store.
func New(s *store.Store) *Directory {
	return &Directory{store: s, busy: make(map[matrix.RoomAlias]bool)}
}

// Alias is what a room alias points to.
type Alias struct {
	Room    matrix.RoomID
	Creator matrix.UserID
}

func readAlias(v []byte) *Alias {
	room, creator, _ := strings.Cut(string(v), "\x00")
	return &Alias{matrix.RoomID(room), matrix.UserID(creator)}
}

// Resolve returns what an alias of this server points to, nil if it does not exist.
func (d *Directory) Resolve(ctx context.Context, alias matrix.RoomAlias) (*Alias, error) {
	v, err := d.store.Row(ctx, tableAliases, []byte(alias))
	if err != nil || v == nil {
		return nil, err
	}
	return readAlias(v), nil
}

// Claim holds an alias that does not exist for the caller, who makes it in a change of its own by Put, and calls
// release once that is durable or given up. The error is M_ROOM_IN_USE if it exists or somebody holds it.
func (d *Directory) Claim(ctx context.Context, alias matrix.RoomAlias) (release func(), err error) {
	inUse := matrix.Errorf(http.StatusBadRequest, matrix.MRoomInUse, "The alias %s exists already", alias)
	d.mu.Lock()
	if d.busy[alias] {
		d.mu.Unlock()
		return nil, inUse
	}
	d.busy[alias] = true
	d.mu.Unlock()
	release = func() {
		d.mu.Lock()
		delete(d.busy, alias)
		d.mu.Unlock()
	}
	have, err := d.Resolve(ctx, alias)
	if err == nil && have != nil {
		err = inUse
	}
	if err != nil {
		release()
		return nil, err
	}
	return release, nil
}

// Put adds an alias that the caller has claimed to a change.
func Put(tx *store.Tx, alias matrix.RoomAlias, room store.RoomNum, a Alias) {
	tx.Set(tableAliases, []byte(alias), []byte(string(a.Room)+"\x00"+string(a.Creator)))
	tx.Set(tableRoomAliases, roomAliasKey(room, alias), []byte{})
}

func roomAliasKey(room store.RoomNum, alias matrix.RoomAlias) []byte {
	return append(binary.BigEndian.AppendUint64(nil, uint64(room)), alias...)
}

// Set makes an alias of a room and returns once it is durable.
func (d *Directory) Set(ctx context.Context, alias matrix.RoomAlias, room *store.Room, creator matrix.UserID) error {
	release, err := d.Claim(ctx, alias)
	if err != nil {
		return err
	}
	defer release()
	have, err := d.OfRoom(ctx, room.Num)
	if err != nil {
		return err
	}
	if len(have) >= maxAliases {
		return matrix.Errorf(http.StatusBadRequest, matrix.MTooLarge, "A room has at most %d aliases", maxAliases)
	}
	_, err = d.store.Apply(ctx, func(tx *store.Tx) {
		Put(tx, alias, room.Num, Alias{room.ID, creator})
	})
	return err
}

// Delete removes an alias of a room, which may be nil if it is no longer known, and returns once that is durable.
func (d *Directory) Delete(ctx context.Context, alias matrix.RoomAlias, room *store.Room) error {
	_, err := d.store.Apply(ctx, func(tx *store.Tx) {
		tx.Delete(tableAliases, []byte(alias))
		if room != nil {
			tx.Delete(tableRoomAliases, roomAliasKey(room.Num, alias))
		}
	})
	return err
}

// OfRoom returns this server's aliases of a room, in order.
func (d *Directory) OfRoom(ctx context.Context, room store.RoomNum) ([]matrix.RoomAlias, error) {
	var out []matrix.RoomAlias
	prefix := binary.BigEndian.AppendUint64(nil, uint64(room))
	for row, err := range d.store.Scan(ctx, blob.Prefix(tableRoomAliases, prefix)) {
		if err != nil {
			return nil, fmt.Errorf("reading aliases: %w", err)
		}
		out = append(out, matrix.RoomAlias(row.Key[len(prefix):]))
	}
	return out, nil
}
