package directory

import (
	"context"
	"encoding/binary"
	"fmt"
	"iter"

	"hearth/homeserver/store"
	"hearth/storage/blob"
)

const tablePublished = "pub"

// Main is the network of the rooms that are published by this server's own users. Others are third-party networks,
// named by the instance id of an application service's protocol.
const Main = ""

func publishedKey(network string, room store.RoomNum) []byte {
	return binary.BigEndian.AppendUint64(append([]byte(network), 0), uint64(room))
}

// Publish adds a room to the published ones of the main network, in a change of the caller's.
func Publish(tx *store.Tx, room store.RoomNum) { publish(tx, Main, room, true) }

func publish(tx *store.Tx, network string, room store.RoomNum, on bool) {
	if on {
		tx.Set(tablePublished, publishedKey(network, room), []byte{})
	} else {
		tx.Delete(tablePublished, publishedKey(network, room))
	}
	tx.Note(store.Note{Kind: store.KindPublished, Room: room})
}

// SetPublished says whether a network lists a room, and returns once that is durable.
func (d *Directory) SetPublished(ctx context.Context, network string, room store.RoomNum, on bool) error {
	if have, err := d.IsPublished(ctx, network, room); err != nil || have == on {
		return err
	}
	_, err := d.store.Apply(ctx, func(tx *store.Tx) { publish(tx, network, room, on) })
	if err != nil {
		return fmt.Errorf("publishing room %d: %w", room, err)
	}
	return nil
}

// IsPublished reports whether a network lists a room.
func (d *Directory) IsPublished(ctx context.Context, network string, room store.RoomNum) (bool, error) {
	row, err := d.store.Row(ctx, tablePublished, publishedKey(network, room))
	if err != nil {
		return false, fmt.Errorf("reading published rooms: %w", err)
	}
	return row != nil, nil
}

// published yields the networks and rooms of the list, by network.
func (d *Directory) published(ctx context.Context) iter.Seq2[listing, error] {
	return func(yield func(listing, error) bool) {
		for row, err := range d.store.Scan(ctx, blob.Range{Table: tablePublished}) {
			n := len(row.Key) - 9
			if err == nil && n < 0 {
				err = errMalformed
			}
			if err != nil {
				yield(listing{}, fmt.Errorf("reading published rooms: %w", err))
				return
			}
			if !yield(listing{string(row.Key[:n]), store.RoomNum(binary.BigEndian.Uint64(row.Key[n+1:]))}, nil) {
				return
			}
		}
	}
}

// listing is one line of the list of published rooms.
type listing struct {
	network string
	room    store.RoomNum
}

// MovePublished adds to a change that another room is listed in a room's stead.
func MovePublished(tx *store.Tx, network string, from, to store.RoomNum) {
	publish(tx, network, from, false)
	publish(tx, network, to, true)
}
