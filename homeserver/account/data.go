package account

import (
	"context"
	"encoding/binary"
	"fmt"
	"iter"
	"net/http"

	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/storage/blob"
)

// The limits of account data, in bytes.
const (
	MaxData     = 128 << 10 // one content
	MaxDataType = 255       // one type
	MaxUserData = 16 << 20  // all contents of a user
)

// The kinds of rows in the table adata.
const (
	dataContent  = "\x00"
	dataPosition = "\x01"
	dataUsage    = "\x02"
)

// Datum is one piece of account data.
type Datum struct {
	Room    store.RoomNum // 0 if it belongs to no room
	Type    string
	Content []byte // a JSON object
	Pos     store.Pos
}

func contentKey(user matrix.UserID, room store.RoomNum, typ string) []byte {
	return key(user, dataContent, key8(uint64(room)), typ)
}

func positionKey(user matrix.UserID, pos store.Pos) []byte {
	return key(user, dataPosition, key8(uint64(pos)))
}

func key8(n uint64) string { return string(binary.BigEndian.AppendUint64(nil, n)) }

// SetData replaces a user's account data of a type, in a room or (0) in none, and returns the position of the
// change in the log.
//
// Errors: M_INVALID_PARAM (400) for a type, M_TOO_LARGE (413) for a content that is too long, M_USER_LIMIT_EXCEEDED
// (403).
// spec: client-server-api#client-config
func (a *Accounts) SetData(ctx context.Context, user matrix.UserID, room store.RoomNum, typ string, content []byte) (store.Pos, error) {
	return a.EditData(ctx, user, room, typ, func([]byte) ([]byte, error) { return content, nil })
}

// EditData is SetData with what edit makes of the present content, nil if there is none. Nobody else changes the
// user's data meanwhile. If edit returns nil nothing changes, and the position is 0.
func (a *Accounts) EditData(ctx context.Context, user matrix.UserID, room store.RoomNum, typ string, edit func(content []byte) ([]byte, error)) (store.Pos, error) {
	if typ == "" || len(typ) > MaxDataType {
		return 0, matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "A type has 1 to %d bytes", MaxDataType)
	}
	unlock, err := a.lock(ctx, user)
	if err != nil {
		return 0, err
	}
	defer unlock()
	before, used, err := a.dataBefore(ctx, user, room, typ)
	if err != nil {
		return 0, err
	}
	var present []byte
	if before != nil {
		present = before.Content
	}
	content, err := edit(present)
	if err != nil || content == nil {
		return 0, err
	}
	if len(content) > MaxData {
		return 0, matrix.Errorf(http.StatusRequestEntityTooLarge, matrix.MTooLarge, "Account data has at most %d bytes", MaxData)
	}
	if used, err = a.spend(used, before, typ, content); err != nil {
		return 0, err
	}
	if room == 0 && typ == IgnoredUsers {
		defer a.ignored.Change(user)()
	}
	pos, err := a.apply(ctx, func(tx *store.Tx) {
		pos := tx.Note(store.Note{Kind: store.KindAccountData, User: user, Room: room})
		if before != nil {
			tx.Delete(tableData, positionKey(user, before.Pos))
		}
		tx.Set(tableData, contentKey(user, room, typ), append([]byte(key8(uint64(pos))), content...))
		tx.Set(tableData, positionKey(user, pos), []byte(key8(uint64(room))+typ))
		tx.Set(tableData, key(user, dataUsage), appendUsage(nil, used))
	})
	if err != nil {
		return 0, fmt.Errorf("writing account data of %s: %w", user, err)
	}
	return pos, nil
}

// spend returns how much a user has once content is written instead of what was before, unless it is too much.
func (a *Accounts) spend(used usage, before *Datum, typ string, content []byte) (usage, error) {
	used.bytes += uint64(len(content))
	if before == nil {
		used.rows++
		used.bytes += uint64(len(typ) + 64)
	} else {
		used.bytes -= min(used.bytes, uint64(len(before.Content)))
	}
	if used.bytes > MaxUserData {
		return used, a.errUserLimit("You have too much account data")
	}
	return used, nil
}

// dataBefore reads what a change of a locked user's data replaces, nil if nothing.
func (a *Accounts) dataBefore(ctx context.Context, user matrix.UserID, room store.RoomNum, typ string) (*Datum, usage, error) {
	rows, err := a.store.Rows(ctx,
		blob.RowKey{Table: tableData, Key: contentKey(user, room, typ)},
		blob.RowKey{Table: tableData, Key: key(user, dataUsage)})
	if err != nil {
		return nil, usage{}, fmt.Errorf("reading account data of %s: %w", user, err)
	}
	used, err := readUsage(rows[1])
	if err != nil {
		return nil, usage{}, fmt.Errorf("reading how much account data %s has: %w", user, err)
	}
	if rows[0] == nil {
		return nil, used, nil
	}
	d, err := readDatum(user, room, typ, rows[0])
	return &d, used, err
}

func readDatum(user matrix.UserID, room store.RoomNum, typ string, row []byte) (Datum, error) {
	if len(row) < 8 {
		return Datum{}, fmt.Errorf("reading account data of %s: %w", user, errMalformed)
	}
	return Datum{Room: room, Type: typ, Content: row[8:], Pos: store.Pos(binary.BigEndian.Uint64(row))}, nil
}

// Data returns the content of a user's account data, nil if there is none.
func (a *Accounts) Data(ctx context.Context, user matrix.UserID, room store.RoomNum, typ string) ([]byte, error) {
	if typ == "" || len(typ) > MaxDataType {
		return nil, nil
	}
	row, err := a.store.Row(ctx, tableData, contentKey(user, room, typ))
	if err != nil {
		return nil, fmt.Errorf("reading account data of %s: %w", user, err)
	}
	if row == nil {
		return nil, nil
	}
	d, err := readDatum(user, room, typ, row)
	return d.Content, err
}

// DataSince yields what of a user's account data changed after a position, each piece as it is now: by room and type
// if after is 0, otherwise by position.
func (a *Accounts) DataSince(ctx context.Context, user matrix.UserID, after store.Pos) iter.Seq2[Datum, error] {
	if after == 0 {
		return a.allData(ctx, user, "")
	}
	return a.changedData(ctx, user, after)
}

// RoomData yields a user's account data of a room, by type.
func (a *Accounts) RoomData(ctx context.Context, user matrix.UserID, room store.RoomNum) iter.Seq2[Datum, error] {
	return a.allData(ctx, user, key8(uint64(room)))
}

// allData yields a user's account data of the room whose key8 is given, of all and of none if that is empty.
func (a *Accounts) allData(ctx context.Context, user matrix.UserID, room string) iter.Seq2[Datum, error] {
	return func(yield func(Datum, error) bool) {
		prefix := key(user, dataContent)
		for row, err := range a.store.Scan(ctx, blob.Prefix(tableData, key(user, dataContent, room))) {
			if err != nil {
				yield(Datum{}, fmt.Errorf("reading account data of %s: %w", user, err))
				return
			}
			room, typ, err := readPlace(user, row.Key[len(prefix):])
			if err != nil {
				yield(Datum{}, err)
				return
			}
			d, err := readDatum(user, room, typ, row.Value)
			if !yield(d, err) || err != nil {
				return
			}
		}
	}
}

// readPlace reads a room and a type.
func readPlace(user matrix.UserID, b []byte) (store.RoomNum, string, error) {
	if len(b) < 8 {
		return 0, "", fmt.Errorf("reading account data of %s: %w", user, errMalformed)
	}
	return store.RoomNum(binary.BigEndian.Uint64(b)), string(b[8:]), nil
}

// dataPage is how many pieces of account data are read at once.
const dataPage = 64

func (a *Accounts) changedData(ctx context.Context, user matrix.UserID, after store.Pos) iter.Seq2[Datum, error] {
	return func(yield func(Datum, error) bool) {
		r := blob.Prefix(tableData, key(user, dataPosition))
		r.From = positionKey(user, after+1)
		var page []Datum
		for row, err := range a.store.Scan(ctx, r) {
			if err != nil {
				yield(Datum{}, fmt.Errorf("reading account data of %s: %w", user, err))
				return
			}
			room, typ, err := readPlace(user, row.Value)
			if err != nil {
				yield(Datum{}, err)
				return
			}
			page = append(page, Datum{Room: room, Type: typ})
			if len(page) == dataPage {
				if !a.fill(ctx, user, page, yield) {
					return
				}
				page = page[:0]
			}
		}
		a.fill(ctx, user, page, yield)
	}
}

// fill yields the pieces of a page with their contents; false ends the loop.
func (a *Accounts) fill(ctx context.Context, user matrix.UserID, page []Datum, yield func(Datum, error) bool) bool {
	keys := make([]blob.RowKey, len(page))
	for i := range page {
		keys[i] = blob.RowKey{Table: tableData, Key: contentKey(user, page[i].Room, page[i].Type)}
	}
	rows, err := a.store.Rows(ctx, keys...)
	if err != nil {
		yield(Datum{}, fmt.Errorf("reading account data of %s: %w", user, err))
		return false
	}
	for i, row := range rows {
		if row == nil {
			continue
		}
		d, err := readDatum(user, page[i].Room, page[i].Type, row)
		if !yield(d, err) || err != nil {
			return false
		}
	}
	return true
}
