package room

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"slices"

	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/event"
	"hearth/storage/blob"
)

const tableDeletions = "delete"

// Deletion is a room that an administrator wants to be gone. It goes through two states: first this server's users
// leave the room, then what the server keeps of it is removed; the second begins once the room is marked as deleted.
type Deletion struct {
	Room   store.RoomNum
	From   store.Order // events from here on may be what users must see to learn that they left
	Block  bool        // nobody here may come back
	Reason string      // what users read when they leave
}

const deletionBlocks = 1

func appendDeletion(dst []byte, d *Deletion) []byte {
	var flags byte
	if d.Block {
		flags = deletionBlocks
	}
	dst = binary.AppendVarint(append(dst, flags), int64(d.From))
	return append(dst, d.Reason...)
}

func readDeletion(room store.RoomNum, data []byte) (Deletion, error) {
	d := Deletion{Room: room}
	if len(data) > 1 {
		from, n := binary.Varint(data[1:])
		if n > 0 {
			d.Block, d.From, d.Reason = data[0]&deletionBlocks != 0, store.Order(from), string(data[1+n:])
			return d, nil
		}
	}
	return d, fmt.Errorf("reading the deletion of room %d: malformed record", room)
}

func deletionKey(room store.RoomNum) []byte { return binary.BigEndian.AppendUint64(nil, uint64(room)) }

// Delete begins to delete a room, and returns once this server's users have left it and nobody finds it any more, with
// who they were. What is kept of it is removed by who follows Deletions. Once Delete has begun, the deletion goes on
// also if the program is killed.
func (rs *Rooms) Delete(ctx context.Context, room *store.Room, reason string, block bool) ([]matrix.UserID, error) {
	d := Deletion{Room: room.Num, Block: block, Reason: reason}
	t, err := rs.turn(ctx, room.Num, func(st *stage) error {
		d.From = st.order + 1
		st.writes = append(st.writes, func(tx *store.Tx) { tx.Set(tableDeletions, deletionKey(d.Room), appendDeletion(nil, &d)) })
		return nil
	})
	if err == nil {
		err = t.Wait(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("beginning to delete room %s: %w", room.ID, err)
	}
	defer rs.pokeDeletions()
	return rs.Empty(ctx, d)
}

// Deletions yields the deletions that are under way.
func (rs *Rooms) Deletions(ctx context.Context) iter.Seq2[Deletion, error] {
	return func(yield func(Deletion, error) bool) {
		for row, err := range rs.store.Scan(ctx, blob.Range{Table: tableDeletions}) {
			var d Deletion
			if err == nil && len(row.Key) == 8 {
				d, err = readDeletion(store.RoomNum(binary.BigEndian.Uint64(row.Key)), row.Value)
			}
			if !yield(d, err) || err != nil {
				return
			}
		}
	}
}

// Deleting is signalled when something may have been added to what Deletions yields. It has one reader.
func (rs *Rooms) Deleting() <-chan struct{} { return rs.deleting }

func (rs *Rooms) pokeDeletions() {
	select {
	case rs.deleting <- struct{}{}:
	default:
	}
}

// Deleted ends a deletion of which nothing is left to do.
func (rs *Rooms) Deleted(ctx context.Context, room store.RoomNum) error {
	_, err := rs.store.Apply(ctx, func(tx *store.Tx) { tx.Delete(tableDeletions, deletionKey(room)) })
	if err != nil {
		return fmt.Errorf("ending the deletion of room %d: %w", room, err)
	}
	return nil
}

// leavePage is how many users leave a room by one change.
const leavePage = 50

// Empty makes all users of this server leave a room and marks it as deleted, unless that was done. It returns who left.
func (rs *Rooms) Empty(ctx context.Context, d Deletion) ([]matrix.UserID, error) {
	var gone []matrix.UserID
	for {
		var left []matrix.UserID
		last := false
		t, err := rs.turn(ctx, d.Room, func(st *stage) error {
			here, err := st.localMembers(ctx)
			if err != nil {
				return err
			}
			left, last = here[:min(leavePage, len(here))], len(here) <= leavePage
			if err := st.allLeave(ctx, left, d.Reason); err != nil || !last {
				return err
			}
			creation, err := st.current(ctx, event.TypeCreate, "")
			if err != nil {
				return err
			}
			st.info.Deleted, st.info.Blocked, st.changed = true, d.Block, true
			st.writes = append(st.writes, func(tx *store.Tx) {
				tx.Note(store.Note{Kind: store.KindDeleted, Room: d.Room})
				if creation != nil {
					tx.Delete(tableMade, madeKey(creation.Sender, d.Room))
				}
			})
			return nil
		})
		if err == nil {
			err = t.Wait(ctx)
		}
		var none *matrix.Error
		if errors.As(err, &none) && none.Code == matrix.MNotFound {
			return gone, nil // somebody else has done the rest meanwhile
		}
		if err != nil {
			return gone, fmt.Errorf("emptying room %d: %w", d.Room, err)
		}
		if gone = append(gone, left...); last {
			return gone, nil
		}
	}
}

// localMembers lists this server's users who are in the room, invited or knocking. It costs a look at all members: of
// a room with 50,000 a tenth of a second, once for every page of those who leave.
func (st *stage) localMembers(ctx context.Context) ([]matrix.UserID, error) {
	typ := memberType
	var all []matrix.UserID
	for e, err := range st.rooms.store.ScanState(ctx, st.info.State, &typ) {
		if err != nil {
			return nil, err
		}
		user := matrix.UserID(e.Key.StateKey)
		if user.Server() != st.rooms.o.Signer.Server {
			continue
		}
		m, err := st.membership(ctx, user)
		if err != nil {
			return nil, err
		}
		if m != nil && slices.Contains([]string{event.Join, event.Invite, event.Knock}, m.Membership) {
			all = append(all, user)
		}
	}
	return all, nil
}

// allLeave stages that users leave. Whom the room's rules do not let go stays in the room's state; the room is deleted
// nevertheless.
func (st *stage) allLeave(ctx context.Context, users []matrix.UserID, reason string) error {
	for _, u := range users {
		_, err := st.change(ctx, Change{Sender: u, Target: u, Membership: event.Leave, Reason: reason})
		var refused *matrix.Error
		if err != nil && !errors.As(err, &refused) {
			return err
		}
	}
	return nil
}

// Touched yields this server's users who have, or ever had, to do with a room.
func (rs *Rooms) Touched(ctx context.Context, room *store.Room) iter.Seq2[matrix.UserID, error] {
	return func(yield func(matrix.UserID, error) bool) {
		typ := memberType
		for e, err := range rs.store.ScanState(ctx, room.State, &typ) {
			user := matrix.UserID(e.Key.StateKey)
			if err == nil && user.Server() != rs.o.Signer.Server {
				continue
			}
			if !yield(user, err) || err != nil {
				return
			}
		}
	}
}

// Purge removes the events of a deleted room and what belongs to them, except those by which users learn that they
// left it, which have nobody else's words.
func (rs *Rooms) Purge(ctx context.Context, d Deletion) error {
	keep := func(e *store.Event) bool {
		return e.Order >= d.From && e.IsState() && e.Type == memberType && matrix.UserID(*e.StateKey).Server() == rs.o.Signer.Server
	}
	if err := rs.store.PurgeEvents(ctx, d.Room, keep); err != nil {
		return err
	}
	return rs.store.RemoveRows(ctx, tableAnnotations, deletionKey(d.Room))
}

// SetBlocked says of a deleted room whether users of this server are kept from coming back. Error: M_NOT_FOUND (404)
// for a room that was not deleted.
func (rs *Rooms) SetBlocked(ctx context.Context, room *store.Room, blocked bool) error {
	if room == nil || !room.Deleted {
		return errNoRoom()
	}
	changed := *room // which nobody else writes, now that it is deleted
	changed.Blocked = blocked
	_, err := rs.store.Apply(ctx, func(tx *store.Tx) { tx.PutRoom(&changed) })
	if err != nil {
		return fmt.Errorf("writing room %s: %w", room.ID, err)
	}
	return nil
}
