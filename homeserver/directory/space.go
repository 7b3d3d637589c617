package directory

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/storage/blob"
)

// The bounds of a walk through a space. A token of the hierarchy counts rooms from the space's beginning, so that it
// lasts as long as the space stays as it is, and each page walks there again: what a walk may cost is bounded by the
// rooms that it looks at.
const (
	MaxSpaceDepth    = 50
	maxSpaceRooms    = 2000      // looked at in one walk
	maxChildren      = 1000      // of one space
	maxChildrenBytes = 512 << 10 // of one space's child events as they are shown
)

// HierarchyRequest asks for a page of what is in a space.
type HierarchyRequest struct {
	SuggestedOnly bool
	MaxDepth      int
	From          string // the token of an earlier page; "" is the beginning
	Limit         int
}

// SpaceRoom is a room of a hierarchy.
type SpaceRoom struct {
	*Summary
	Children []byte // the stripped m.space.child events, with commas between them
}

// Hierarchy returns a page of the rooms in a space that the user may see, the space itself first, and the token of the
// next page, "" if there is none.
//
// Errors: M_FORBIDDEN (403) if the user may not see the space, M_INVALID_PARAM (400) for the token.
// spec: client-server-api#get_matrixclientv1roomsroomidhierarchy
func (d *Directory) Hierarchy(ctx context.Context, user matrix.UserID, id matrix.RoomID, q HierarchyRequest) (rooms []SpaceRoom, next string, err error) {
	w := spaceWalk{d: d, user: user, q: &q, seen: make(map[matrix.RoomID]bool)}
	root, err := w.look(ctx, id)
	if err != nil {
		return nil, "", err
	}
	if root == nil {
		return nil, "", matrix.Errorf(http.StatusForbidden, matrix.MForbidden, "You may not see room %s", id)
	}
	token := hierarchyToken{root.Room.Num, 0, q.MaxDepth, q.SuggestedOnly}
	if q.From != "" {
		if token.offset, err = token.check(q.From); err != nil {
			return nil, "", err
		}
	}
	w.skip = token.offset
	if rooms, err = w.walk(ctx, root); err != nil {
		return nil, "", err
	}
	if w.more {
		token.offset += len(rooms)
		next = token.String()
	}
	return rooms, next, nil
}

// spaceWalk goes through a space depth first and meets each room once, also if spaces hold each other.
type spaceWalk struct {
	d    *Directory
	user matrix.UserID
	q    *HierarchyRequest
	seen map[matrix.RoomID]bool
	skip int  // rooms before the page
	more bool // there are rooms behind it
}

type spaceStep struct {
	room  matrix.RoomID
	depth int
}

// look returns what is to be said of a room, nil if the user may not see it.
func (w *spaceWalk) look(ctx context.Context, id matrix.RoomID) (*Summary, error) {
	w.seen[id] = true
	room, err := w.d.store.RoomByID(ctx, id)
	if err != nil || room == nil {
		return nil, err
	}
	s, err := w.d.Summary(ctx, room)
	if blob.KindOf(err) == blob.Corrupt {
		return nil, nil // one damaged room must not hide the others
	}
	if err != nil {
		return nil, err
	}
	ok, err := w.d.MaySee(ctx, w.user, s)
	if err != nil || !ok {
		return nil, err
	}
	return s, nil
}

func (w *spaceWalk) walk(ctx context.Context, root *Summary) ([]SpaceRoom, error) {
	out, todo := []SpaceRoom{}, []spaceStep{{root.Room.ID, 0}}
	for len(todo) > 0 {
		step := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		s := root
		if step.depth > 0 {
			if w.seen[step.room] || len(w.seen) >= maxSpaceRooms {
				continue
			}
			var err error
			if s, err = w.look(ctx, step.room); err != nil {
				return nil, err
			}
			if s == nil {
				continue
			}
		}
		if w.skip == 0 && len(out) == w.q.Limit {
			w.more = true
			return out, nil
		}
		children, err := w.d.children(ctx, s, w.q.SuggestedOnly)
		if err != nil {
			return nil, err
		}
		if step.depth < w.q.MaxDepth {
			for _, c := range slices.Backward(children) {
				todo = append(todo, spaceStep{c.room, step.depth + 1})
			}
		}
		if w.skip > 0 {
			w.skip--
			continue
		}
		out = append(out, SpaceRoom{s, joinChildren(children)})
	}
	return out, nil
}

// child is a room of a space.
type child struct {
	room     matrix.RoomID
	order    string
	hasOrder bool
	time     int64
	stripped []byte
}

// children returns the rooms of a space by their order, none of another room. Of a space with very many those are
// taken whose ids sort first.
// spec: client-server-api#ordering-of-children-within-a-space
func (d *Directory) children(ctx context.Context, s *Summary, suggestedOnly bool) ([]child, error) {
	if s.Type != "m.space" {
		return nil, nil
	}
	typ := "m.space.child"
	var entries []store.StateEntry
	for e, err := range d.store.ScanState(ctx, s.Room.State, &typ) {
		if err != nil {
			return nil, err
		}
		if entries = append(entries, e); len(entries) == maxChildren {
			break
		}
	}
	var out []child
	size := 0
	for page := range slices.Chunk(entries, 64) {
		events, err := d.store.EntryEvents(ctx, s.Room.Num, page)
		if err != nil {
			return nil, err
		}
		for _, e := range events {
			c, ok := readChild(e, suggestedOnly)
			if !ok {
				continue
			}
			if size += len(c.stripped); size > maxChildrenBytes {
				return sortChildren(out), nil
			}
			out = append(out, c)
		}
	}
	return sortChildren(out), nil
}

// readChild reads an m.space.child event; ok is false if it holds no room of the space, or none that is suggested.
// spec: client-server-api#mspacechild
func readChild(e *store.Event, suggestedOnly bool) (c child, ok bool) {
	id, err := matrix.ParseRoomID(*e.StateKey)
	if err != nil || !hasVia(e.Content) {
		return c, false
	}
	if suggested, _ := matrix.BoolField(e.Content, "suggested"); suggestedOnly && !suggested {
		return c, false
	}
	c.room, c.time = id, e.Time
	if c.order, c.hasOrder = matrix.StringField(e.Content, "order"); !validOrder(c.order) {
		c.order, c.hasOrder = "", false
	}
	c.stripped = appendChild(nil, e)
	return c, true
}

// hasVia reports whether a child's via is a list of servers.
func hasVia(content []byte) bool {
	via, _ := matrix.Field(content, "via")
	n, good := 0, matrix.IsArray(via)
	if good {
		matrix.EachElement(via, func(raw []byte) bool {
			n++
			good = matrix.IsString(raw)
			return good
		})
	}
	return good && n > 0
}

// validOrder reports whether an order may be compared: at most 50 characters from space to tilde.
func validOrder(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return len(s) <= 50
}

func appendChild(dst []byte, e *store.Event) []byte {
	dst = append(append(dst, `{"content":`...), e.Content...)
	dst = strconv.AppendInt(append(dst, `,"origin_server_ts":`...), e.Time, 10)
	dst = matrix.AppendString(append(dst, `,"sender":`...), string(e.Sender))
	dst = matrix.AppendString(append(dst, `,"state_key":`...), *e.StateKey)
	return append(dst, `,"type":"m.space.child"}`...)
}

func sortChildren(children []child) []child {
	slices.SortFunc(children, func(a, b child) int {
		switch {
		case a.hasOrder && !b.hasOrder:
			return -1
		case b.hasOrder && !a.hasOrder:
			return 1
		case a.order != b.order:
			return strings.Compare(a.order, b.order)
		case a.time != b.time:
			return int(min(max(a.time-b.time, -1), 1))
		}
		return strings.Compare(string(a.room), string(b.room))
	})
	return children
}

func joinChildren(children []child) []byte {
	var out []byte
	for i, c := range children {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, c.stripped...)
	}
	return out
}

// hierarchyToken is where a page of a hierarchy begins:
//
//	h7_20_3_s
//
// is behind the first 20 rooms of room 7, of which those down to depth 3 are asked for, and only ("s") suggested ones, or
// all ("a").
type hierarchyToken struct {
	room          store.RoomNum
	offset, depth int
	suggestedOnly bool
}

func (t hierarchyToken) String() string {
	which := "a"
	if t.suggestedOnly {
		which = "s"
	}
	return "h" + strconv.FormatUint(uint64(t.room), 10) + "_" + strconv.Itoa(t.offset) + "_" + strconv.Itoa(t.depth) + "_" + which
}

// check returns the offset of a token that was made for the same request.
func (t hierarchyToken) check(s string) (offset int, err error) {
	parts := strings.Split(s, "_")
	if len(parts) == 4 {
		if n, err := strconv.Atoi(parts[1]); err == nil && n >= 0 {
			t.offset = n
		}
	}
	if t.String() == s {
		return t.offset, nil
	}
	if len(parts) == 4 && parts[0] == "h"+strconv.FormatUint(uint64(t.room), 10) {
		return 0, matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "suggested_only and max_depth cannot change from page to page")
	}
	return 0, matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "The token from was not made by this server for this room")
}
