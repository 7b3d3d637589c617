package clientapi

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"

	"hearth/homeserver/account"
	"hearth/homeserver/directory"
	"hearth/homeserver/room"
	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/event"
	"hearth/matrix/wire"
)

func (a *API) roomUpgradesRoutes(m *wire.Mux) {
	m.Handle("POST /_matrix/client/v3/rooms/{roomId}/upgrade", a.authed(a.upgrade))
}

type upgradeRequest struct {
	Version  *matrix.Version `json:"new_version"`
	Creators []string        `json:"additional_creators"`
}

// creators returns the additional creators of a version that has such. Others ignore them.
func (q *upgradeRequest) creators() ([]matrix.UserID, error) {
	if v, ok := matrix.LookupVersion(*q.Version); !ok || !v.PrivilegedCreators {
		return nil, nil
	}
	var all []matrix.UserID
	for _, s := range q.Creators {
		user, err := matrix.ParseUserID(s)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(all, user) {
			all = append(all, user)
		}
	}
	return all, nil
}

// maxCreators bounds the additional creators of a new room.
const maxCreators = 1000

// spec: client-server-api#post_matrixclientv3roomsroomidupgrade
func (a *API) upgrade(w http.ResponseWriter, r *http.Request, s account.Session) error {
	var q upgradeRequest
	if err := wire.Read(w, r, maxBody, &q); err != nil {
		return err
	}
	switch {
	case q.Version == nil:
		return matrix.Errorf(http.StatusBadRequest, matrix.MMissingParam, "new_version is missing")
	case len(q.Creators) > maxCreators:
		return matrix.Errorf(http.StatusBadRequest, matrix.MTooLarge, "At most %d additional creators", maxCreators)
	}
	creators, err := q.creators()
	if err != nil {
		return err
	}
	known, err := a.listedRoom(r)
	if err != nil {
		return err
	}
	if ok, err := a.isJoined(r.Context(), s.User, known); err != nil {
		return err
	} else if !ok {
		return matrix.Errorf(http.StatusForbidden, matrix.MForbidden, "You are not in room %s", known.ID)
	}
	id, err := a.replace(r.Context(), known, room.Upgrade{Sender: s.User, Version: *q.Version, Creators: creators})
	if err != nil {
		return err
	}
	if err := a.carryAll(r.Context(), known, id); err != nil {
		return err
	}
	if err := a.carryOver(r.Context(), s.User, id); err != nil {
		return err
	}
	return wire.Answer(w, map[string]any{"replacement_room": id})
}

// replace upgrades a room and, in the same change, moves its aliases and its place in the directory.
func (a *API) replace(ctx context.Context, known *store.Room, u room.Upgrade) (matrix.RoomID, error) {
	held, release, err := a.Directory.HoldRoom(ctx, known)
	if err != nil {
		return "", err
	}
	defer release()
	published, err := a.Directory.IsPublished(ctx, directory.Main, known.Num)
	if err != nil {
		return "", err
	}
	u.Aliases = slices.Sorted(maps.Keys(held))
	u.Also = func(tx *store.Tx, num store.RoomNum, id matrix.RoomID) {
		directory.Move(tx, held, known.Num, num, id)
		if published {
			directory.MovePublished(tx, directory.Main, known.Num, num)
		}
	}
	return a.Rooms.Upgrade(ctx, known, u)
}

// carryOver copies to a room that the user has joined what the user had set for the room that it replaces. It does so
// before the join is acknowledged; who asks for a join again because the answer did not come has it done again, which
// changes nothing.
// spec: client-server-api#room-upgrades
func (a *API) carryOver(ctx context.Context, user matrix.UserID, id matrix.RoomID) error {
	joined, err := a.Store.RoomByID(ctx, id)
	if err != nil || joined == nil {
		return err
	}
	old, err := a.predecessor(ctx, user, joined)
	if err != nil || old == nil {
		return err
	}
	if err := unlessLimited(a.copyTags(ctx, user, old, joined)); err != nil {
		return err
	}
	return a.copyRules(ctx, user, old.ID, joined.ID)
}

// maxCarried bounds for how many members it is done when a room is replaced. For the others it is when they join.
const maxCarried = 2000

// carryAll copies the push rules that members have for a room to the one that replaces it, so that it does not disturb
// who did not want to be disturbed, and lists it among their direct chats. Data of a room is for those who are in it.
func (a *API) carryAll(ctx context.Context, old *store.Room, id matrix.RoomID) error {
	next, err := a.Store.RoomByID(ctx, id)
	if err != nil || next == nil {
		return err
	}
	typ := event.TypeMember
	var users []event.Key
	for entry, err := range a.Store.ScanState(ctx, old.State, &typ) {
		if err != nil {
			return err
		}
		if matrix.UserID(entry.Key.StateKey).Server() == a.Settings.Server {
			users = append(users, entry.Key)
		}
		if len(users) == maxCarried {
			break
		}
	}
	for page := range slices.Chunk(users, 256) {
		members, err := a.Store.StateEvents(ctx, old.Num, old.State, page...)
		if err != nil {
			return err
		}
		for _, m := range members {
			if m == nil || m.Membership() != event.Join {
				continue
			}
			if err := a.copyRules(ctx, matrix.UserID(*m.StateKey), old.ID, next.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// copyRules copies a user's push rules for a room to another, and whether it is a direct chat.
func (a *API) copyRules(ctx context.Context, user matrix.UserID, from, to matrix.RoomID) error {
	if err := unlessLimited(a.copyDirect(ctx, user, from, to)); err != nil {
		return err
	}
	return unlessLimited(a.Push.CopyRules(ctx, user, from, to))
}

// unlessLimited returns err unless it says that the user may have no more: the room is theirs without it.
func unlessLimited(err error) error {
	var limit *matrix.Error
	if errors.As(err, &limit) {
		return nil
	}
	return err
}

// predecessor returns the room that a room replaces, if both say so and the user had to do with it; otherwise nil.
func (a *API) predecessor(ctx context.Context, user matrix.UserID, room *store.Room) (*store.Room, error) {
	create, err := a.Store.StateEvents(ctx, room.Num, room.State, event.Key{Type: event.TypeCreate})
	if err != nil || create[0] == nil {
		return nil, err
	}
	id, ok := matrix.StringField(create[0].Content, "predecessor", "room_id")
	if !ok {
		return nil, nil
	}
	old, err := a.Store.RoomByID(ctx, matrix.RoomID(id))
	if err != nil || old == nil || old.Deleted {
		return nil, err
	}
	m, err := a.Store.Membership(ctx, user, old.Num)
	if err != nil || m == nil {
		return nil, err
	}
	tombstone, err := a.Store.StateEvents(ctx, old.Num, old.State, event.Key{Type: "m.room.tombstone"})
	if err != nil || tombstone[0] == nil {
		return nil, err
	}
	if next, _ := matrix.StringField(tombstone[0].Content, "replacement_room"); matrix.RoomID(next) != room.ID {
		return nil, nil
	}
	return old, nil
}

func (a *API) copyTags(ctx context.Context, user matrix.UserID, old, joined *store.Room) error {
	tags, err := a.Accounts.Data(ctx, user, old.Num, tagType)
	if err != nil || tags == nil {
		return err
	}
	_, err = a.Accounts.EditData(ctx, user, joined.Num, tagType, func(have []byte) ([]byte, error) {
		if have != nil {
			return nil, nil
		}
		return tags, nil
	})
	return err
}

// copyDirect lists a room wherever the one that it replaces is listed as a direct chat.
// spec: client-server-api#mdirect
func (a *API) copyDirect(ctx context.Context, user matrix.UserID, old, joined matrix.RoomID) error {
	_, err := a.Accounts.EditData(ctx, user, 0, "m.direct", func(content []byte) ([]byte, error) {
		out := content
		matrix.EachField(content, func(with string, raw []byte) bool {
			var rooms []string
			if json.Unmarshal(raw, &rooms) == nil && slices.Contains(rooms, string(old)) && !slices.Contains(rooms, string(joined)) {
				if more, err := json.Marshal(append(rooms, string(joined))); err == nil {
					out = matrix.With(nil, out, with, more)
				}
			}
			return true
		})
		if len(out) == len(content) {
			return nil, nil
		}
		return out, nil
	})
	return err
}
