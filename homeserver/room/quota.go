package room

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/http"

	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/event"
	"hearth/storage/blob"
)

const tableMade = "made"

// MaxMade is how many rooms one user may have made that were not deleted since, and MaxJoined how many one may be in.
// They are far above what people need, so that a program that goes wrong, or somebody who means harm, fills no disk.
// Two requests at the same moment may both take the last place.
const (
	MaxMade   = 2000
	MaxJoined = 5000
)

func madeKey(user matrix.UserID, room store.RoomNum) []byte {
	return binary.BigEndian.AppendUint64(append([]byte(user), 0), uint64(room))
}

// mayMake refuses to make a room for somebody who has made too many. Error: M_USER_LIMIT_EXCEEDED (403).
func (rs *Rooms) mayMake(ctx context.Context, user matrix.UserID) error {
	r := blob.Prefix(tableMade, append([]byte(user), 0))
	r.Limit = MaxMade
	n := 0
	for _, err := range rs.store.Scan(ctx, r) {
		if err != nil {
			return fmt.Errorf("counting the rooms of %s: %w", user, err)
		}
		n++
	}
	if n >= MaxMade {
		return rs.errUserLimit("You have made %d rooms: ask an administrator to delete some", MaxMade)
	}
	return nil
}

// mayJoin refuses a join of somebody who is in too many rooms, unless in this one already. Error:
// M_USER_LIMIT_EXCEEDED (403).
func (rs *Rooms) mayJoin(ctx context.Context, room *store.Room, c *Change) error {
	if c.Membership != event.Join || c.Sender != c.Target || c.Target.Server() != rs.o.Signer.Server {
		return nil
	}
	n, there := 0, false
	for m, err := range rs.store.Memberships(ctx, c.Target) {
		if err != nil {
			return err
		}
		if m.Membership == event.Join {
			n++
			there = there || m.Room == room.Num
		}
	}
	if n >= MaxJoined && !there {
		return rs.errUserLimit("You are in %d rooms: leave some", n)
	}
	return nil
}

// spec: client-server-api#common-error-codes
func (rs *Rooms) errUserLimit(format string, args ...any) error {
	return matrix.Errorf(http.StatusForbidden, matrix.MUserLimitExceeded, format, args...).With("info_uri", "https://"+string(rs.o.Signer.Server)+"/")
}
