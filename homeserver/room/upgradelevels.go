package room

import (
	"context"
	"slices"
	"strconv"

	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/event"
)

// firstLevels stages the new room's power levels: those of the old room, as the new version can have them. If the
// sender could not make the room with them, the sender has more power at first, and restored is set.
func (u *upgrade) firstLevels(ctx context.Context) error {
	old, err := u.old.current(ctx, event.TypePowerLevels, "")
	if err != nil {
		return err
	}
	if old == nil {
		return u.next.firstPowerLevels(ctx, &Creation{Creator: u.Sender}, preset{})
	}
	if old, err = u.beforeClosing(ctx, old); err != nil {
		return err
	}
	p, err := event.ParsePowerLevels(old.Version, old.Content)
	if err != nil {
		return err
	}
	u.setCreators(p)
	content := withLevels(old.Content, p)
	needed := neededLevel(p)
	if u.version.PrivilegedCreators || p.User(u.Sender) >= needed {
		return u.put(ctx, content)
	}
	u.restored = content
	setLevel(p, u.Sender, needed)
	return u.put(ctx, withLevels(old.Content, p))
}

func (u *upgrade) put(ctx context.Context, levels []byte) error {
	key := ""
	_, err := u.next.add(ctx, draftEvent{sender: u.Sender, typ: event.TypePowerLevels, stateKey: &key, content: levels})
	return err
}

// restoreLevels takes back the power that the sender needed to make the room.
func (u *upgrade) restoreLevels(ctx context.Context) error {
	if u.restored == nil {
		return nil
	}
	return u.put(ctx, u.restored)
}

// setCreators makes levels fit the creators of the version. Where they are above all levels they have none of their
// own; where they are no longer, those who were get the highest that there is.
func (u *upgrade) setCreators(p *event.PowerLevels) {
	if u.version.PrivilegedCreators {
		p.Users = slices.DeleteFunc(p.Users, func(e event.Entry) bool {
			user := matrix.UserID(e.Key)
			return user == u.Sender || slices.Contains(u.Creators, user)
		})
		if !slices.ContainsFunc(p.Events, func(e event.Entry) bool { return e.Key == tombstoneType }) {
			p.Events = append(p.Events, event.Entry{Key: tombstoneType, Value: tombstoneLevel(p.Event("", true))})
		}
		return
	}
	if !u.old.info.Version.PrivilegedCreators {
		return
	}
	top := highest(p)
	for _, user := range append([]matrix.UserID{u.creation.Creator}, u.creation.Additional...) {
		setLevel(p, user, top)
	}
}

// setLevel sets a user's level. The users stay sorted.
func setLevel(p *event.PowerLevels, user matrix.UserID, level int64) {
	i := slices.IndexFunc(p.Users, func(e event.Entry) bool { return e.Key >= string(user) })
	switch {
	case i < 0:
		p.Users = append(p.Users, event.Entry{Key: string(user), Value: level})
	case p.Users[i].Key == string(user):
		p.Users[i].Value = level
	default:
		p.Users = slices.Insert(p.Users, i, event.Entry{Key: string(user), Value: level})
	}
}

// neededLevel is the power that suffices to send all state and to ban.
func neededLevel(p *event.PowerLevels) int64 {
	needed := max(p.Event("", true), p.BanLevel())
	for _, e := range p.Events {
		needed = max(needed, e.Value)
	}
	return needed
}

// highest is the highest level that power levels name, at least 100.
func highest(p *event.PowerLevels) int64 {
	top := int64(100)
	for _, s := range scalars(p) {
		top = max(top, s.level.Value)
	}
	for _, entries := range [][]event.Entry{p.Events, p.Notifications, p.Users} {
		for _, e := range entries {
			top = max(top, e.Value)
		}
	}
	return top
}

type scalar struct {
	name  string
	level event.Level
}

func scalars(p *event.PowerLevels) []scalar {
	return []scalar{
		{"ban", p.Ban}, {"events_default", p.EventsDefault}, {"invite", p.Invite}, {"kick", p.Kick}, {"redact", p.Redact},
		{"state_default", p.StateDefault}, {"users_default", p.UsersDefault},
	}
}

// withLevels returns content with the levels p as integers that every version allows.
func withLevels(content []byte, p *event.PowerLevels) []byte {
	out := content
	for _, s := range scalars(p) {
		out = matrix.Without(nil, out, s.name)
		if s.level.Set {
			out = matrix.With(nil, out, s.name, appendLevel(nil, s.level.Value))
		}
	}
	for _, m := range []struct {
		name    string
		entries []event.Entry
	}{{"events", p.Events}, {"notifications", p.Notifications}, {"users", p.Users}} {
		if _, had := matrix.Field(content, m.name); !had && len(m.entries) == 0 {
			continue
		}
		object := []byte{'{'}
		for i, e := range m.entries {
			if i > 0 {
				object = append(object, ',')
			}
			object = appendLevel(append(matrix.AppendString(object, e.Key), ':'), e.Value)
		}
		out = matrix.With(nil, out, m.name, append(object, '}'))
	}
	return out
}

func appendLevel(dst []byte, level int64) []byte {
	return strconv.AppendInt(dst, min(max(level, -matrix.MaxInt), matrix.MaxInt), 10)
}

// beforeClosing returns the power levels that an earlier replacement of the room closed, if these are such.
func (u *upgrade) beforeClosing(ctx context.Context, levels *store.Event) (*store.Event, error) {
	if !u.again || levels.Replaces == 0 {
		return levels, nil
	}
	before, err := u.rooms.store.Ahead().EventsAt(ctx, levels.Room, levels.Replaces)
	if err != nil || before[0] == nil {
		return levels, err
	}
	closed, err := closedLevels(before[0])
	if err != nil || string(closed) != string(levels.Content) {
		return levels, nil
	}
	return before[0], nil
}

// closeOld stages power levels by which ordinary members of the old room no longer send messages or invite, if the
// sender may set them.
// spec: client-server-api#room-upgrades 6
func (u *upgrade) closeOld(ctx context.Context) error {
	old, err := u.old.current(ctx, event.TypePowerLevels, "")
	if err != nil || old == nil {
		return err
	}
	content, err := closedLevels(old)
	if err != nil {
		return err
	}
	return u.change(ctx, event.TypePowerLevels, content)
}

// closedLevels returns the content of power levels that need more than an ordinary member's to send and to invite.
func closedLevels(levels *store.Event) ([]byte, error) {
	p, err := event.ParsePowerLevels(levels.Version, levels.Content)
	if err != nil {
		return nil, err
	}
	closed := max(50, p.UsersDefault.Value+1)
	content := levels.Content
	if p.InviteLevel() < closed {
		content = matrix.With(nil, content, "invite", appendLevel(nil, closed))
	}
	if p.EventsDefault.Value < closed {
		content = matrix.With(nil, content, "events_default", appendLevel(nil, closed))
	}
	return levels.Version.Canonical(content)
}
