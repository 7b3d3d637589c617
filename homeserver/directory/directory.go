// Package directory finds rooms and people: aliases, published rooms, summaries, spaces, the search for users.
//
// # Tables
//
//	alias    alias                           room id, 0x00, the user who made it
//	ralias   room (8 bytes), alias           empty: the aliases of a room
//	pub      network, 0x00, room (8 bytes)   empty: a network lists the room
//
//	person   user                            what is known of a user: name and avatar (strings), rooms (varint)
//	pword    word, 0x00, user                empty: the user is known by the word
//	proom    user, 0x00, room (8 bytes)      empty: a user of another server is in the room
//	pfollow  "person"                        the position up to which these three know the log (8 bytes)
//
// A string is its length as a uvarint and its bytes; uvarints and varints are those of encoding/binary. Words are folded:
// small letters without accents. What is known of a user of this server with the name Bob is 03 42 6f 62 00 00.
//
// So the alias that @a:x made of the room !r:x is 21 72 3a 78 00 40 61 3a 78. The network is "" for the rooms that
// this server's own users publish: the key of room 7 is 00 00 00 00 00 00 00 00 07.
package directory

import (
	"context"
	"encoding/binary"
	"errors"
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

var errMalformed = errors.New("malformed record")

// maxAliases bounds the aliases of one room.
const maxAliases = 1000

// Directory keeps the aliases of this server.
type Directory struct {
	store *store.Store
	mu    sync.Mutex                         // guards held
	held  map[matrix.RoomAlias]chan struct{} // aliases that somebody changes; closed when that is done

	folder folder
	shelf  shelf
}

// New returns the directory over a store.
func New(s *store.Store) *Directory {
	return &Directory{store: s, held: make(map[matrix.RoomAlias]chan struct{}), folder: newFolder(), shelf: newShelf()}
}

// hold waits until nobody else changes an alias. The caller calls release when its change is durable.
func (d *Directory) hold(ctx context.Context, alias matrix.RoomAlias) (release func(), err error) {
	for {
		d.mu.Lock()
		wait, held := d.held[alias]
		if !held {
			break
		}
		d.mu.Unlock()
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	done := make(chan struct{})
	d.held[alias] = done
	d.mu.Unlock()
	return func() {
		d.mu.Lock()
		delete(d.held, alias)
		d.mu.Unlock()
		close(done)
	}, nil
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
	all, err := d.ResolveAll(ctx, alias)
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

// ResolveAll returns what aliases of this server point to, in order, nil for each that does not exist.
func (d *Directory) ResolveAll(ctx context.Context, aliases ...matrix.RoomAlias) ([]*Alias, error) {
	keys := make([]blob.RowKey, len(aliases))
	for i, a := range aliases {
		keys[i] = blob.RowKey{Table: tableAliases, Key: []byte(a)}
	}
	rows, err := d.store.Rows(ctx, keys...)
	if err != nil {
		return nil, fmt.Errorf("resolving aliases: %w", err)
	}
	out := make([]*Alias, len(aliases))
	for i, row := range rows {
		if row != nil {
			out[i] = readAlias(row)
		}
	}
	return out, nil
}

// Claim holds an alias that does not exist for the caller, who makes it in a change of its own by Put, and calls
// release once that is durable or given up. It waits while somebody else holds it. The error is M_ROOM_IN_USE (400)
// if it exists.
func (d *Directory) Claim(ctx context.Context, alias matrix.RoomAlias) (release func(), err error) {
	release, err = d.hold(ctx, alias)
	if err != nil {
		return nil, err
	}
	have, err := d.Resolve(ctx, alias)
	if err == nil && have != nil {
		err = matrix.Errorf(http.StatusBadRequest, matrix.MRoomInUse, "The alias %s exists already", alias)
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

// Set makes an alias of a room and returns once it is durable. Errors: M_ROOM_IN_USE, M_TOO_LARGE (both 400).
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
	return d.apply(ctx, func(tx *store.Tx) {
		Put(tx, alias, room.Num, Alias{room.ID, creator})
	})
}

// apply writes a change of an alias that is held. Once it is queued it waits for the outcome even if ctx ends, so that
// the alias is not given to somebody who would read the past.
func (d *Directory) apply(ctx context.Context, write func(*store.Tx)) error {
	t, err := d.store.Append(ctx, write)
	if err == nil {
		err = t.Wait(context.WithoutCancel(ctx))
	}
	if err != nil {
		return fmt.Errorf("writing an alias: %w", err)
	}
	return nil
}

// Hold holds an alias that points to where have says, for the caller, who takes it away in a change of its own by Remove
// and calls release once that is durable or given up. The error is M_NOT_FOUND (404) if it points elsewhere or nowhere.
func (d *Directory) Hold(ctx context.Context, alias matrix.RoomAlias, have Alias) (release func(), err error) {
	release, err = d.hold(ctx, alias)
	if err != nil {
		return nil, err
	}
	now, err := d.Resolve(ctx, alias)
	if err == nil && (now == nil || *now != have) {
		err = matrix.Errorf(http.StatusNotFound, matrix.MNotFound, "Room alias %s not found", alias)
	}
	if err != nil {
		release()
		return nil, err
	}
	return release, nil
}

// Remove adds to a change that a held alias of a room, 0 if that is not known, is gone.
func Remove(tx *store.Tx, alias matrix.RoomAlias, room store.RoomNum) {
	tx.Delete(tableAliases, []byte(alias))
	if room != 0 {
		tx.Delete(tableRoomAliases, roomAliasKey(room, alias))
	}
}

// Delete removes an alias of a room, 0 if that is not known, if it still points to where have says, and returns once
// that is durable. The error is M_NOT_FOUND (404) if it points elsewhere or nowhere.
func (d *Directory) Delete(ctx context.Context, alias matrix.RoomAlias, have Alias, room store.RoomNum) error {
	release, err := d.Hold(ctx, alias, have)
	if err != nil {
		return err
	}
	defer release()
	return d.apply(ctx, func(tx *store.Tx) { Remove(tx, alias, room) })
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

// HoldRoom holds all aliases of a room for the caller, who moves them in a change of its own by Move, and calls release
// once that is durable or given up. It waits while somebody else holds one of them.
func (d *Directory) HoldRoom(ctx context.Context, room *store.Room) (held map[matrix.RoomAlias]Alias, release func(), err error) {
	names, err := d.OfRoom(ctx, room.Num)
	if err != nil {
		return nil, nil, err
	}
	var releases []func()
	release = func() {
		for _, r := range releases {
			r()
		}
	}
	for _, name := range names { // in order, so that two who hold the same wait for each other and not in a ring
		one, err := d.hold(ctx, name)
		if err != nil {
			release()
			return nil, nil, err
		}
		releases = append(releases, one)
	}
	now, err := d.ResolveAll(ctx, names...)
	if err != nil {
		release()
		return nil, nil, err
	}
	held = make(map[matrix.RoomAlias]Alias)
	for i, a := range now {
		if a != nil && a.Room == room.ID {
			held[names[i]] = *a
		}
	}
	return held, release, nil
}

// Move adds to a change that held aliases of a room belong to another one. Who made them stays known.
func Move(tx *store.Tx, held map[matrix.RoomAlias]Alias, from, to store.RoomNum, id matrix.RoomID) {
	for name, a := range held {
		tx.Delete(tableRoomAliases, roomAliasKey(from, name))
		Put(tx, name, to, Alias{id, a.Creator})
	}
}
