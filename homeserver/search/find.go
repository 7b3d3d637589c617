package search

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"hearth/homeserver/account"
	"hearth/homeserver/store"
	"hearth/homeserver/timeline"
	"hearth/matrix"
)

// The bounds of one search, and of all.
const (
	maxSearches = 2         // that run at the same time; others wait
	maxQueue    = 16        // that run or wait; others are refused
	maxWork     = 1_000_000 // entries of the index that are read for one page; what is older is left out
	maxJudged   = 1000      // events that are read for one page; a page that ends there goes on with the next
	maxLights   = 50        // words to highlight
)

// Request asks for a page of results.
type Request struct {
	User   matrix.UserID
	Term   string
	Keys   []string              // of which to search; none is all
	Filter *timeline.EventFilter // nil selects all
	Recent bool                  // newest first; otherwise by rank
	Limit  int                   // of results in a page
	Next   string                // the token of the page; "" is the first
	Bound  string                // what else a token is bound to: the request as it was made
}

// Result is an event that was found.
type Result struct {
	timeline.Seen
	Room   *store.Room
	Access timeline.Access
	Rank   float64
}

// Page is a page of results.
type Page struct {
	Results    []Result
	Count      int      // of all results, about
	Highlights []string // words as they stand in the results, in lower case
	more       bool
	token      token
	hash       []byte
}

// Next returns the token of the next page, "" if there is none.
func (p *Page) Next() string {
	if !p.more {
		return ""
	}
	return p.token.encode(p.hash)
}

// NextIn returns the token of the next page of a group, "" if there is none.
func (p *Page) NextIn(g Group) string {
	if !p.more {
		return ""
	}
	t := p.token
	if t.group.Kind == groupNone {
		t.group = g
	}
	return t.encode(p.hash)
}

// Find searches for what a user may see.
//
// Errors: M_INVALID_PARAM (400) for a term or a token that cannot be; M_LIMIT_EXCEEDED (429) if too many search.
// spec: client-server-api#room_events
func (x *Index) Find(ctx context.Context, r Request) (*Page, error) {
	q, err := parseQuery(r.Term)
	if err != nil {
		return nil, err
	}
	f := &finder{x: x, r: &r, q: q, page: &Page{hash: hashOf(r.User, r.Bound)}, rooms: make(map[store.RoomNum]*foundRoom)}
	if r.Next != "" {
		t, err := readToken(r.Next, f.page.hash)
		if err != nil {
			return nil, err
		}
		f.page.token, f.paged = *t, true
	}
	leave, err := x.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	if len(q.terms) == 0 {
		return f.page, nil
	}
	if err := f.run(ctx); err != nil {
		if errors.Is(err, errMalformed) {
			select {
			case x.bad <- err:
			default:
			}
		}
		return nil, err
	}
	return f.page, nil
}

// enter waits for its turn to search.
func (x *Index) enter(ctx context.Context) (leave func(), err error) {
	select {
	case x.queue <- struct{}{}:
	default:
		return nil, matrix.Errorf(http.StatusTooManyRequests, matrix.MLimitExceeded, "Too many search at the moment").With("retry_after_ms", 2000)
	}
	select {
	case x.slots <- struct{}{}:
		return func() { <-x.slots; <-x.queue }, nil
	case <-ctx.Done():
		<-x.queue
		return nil, ctx.Err()
	}
}

// finder is one search.
type finder struct {
	x       *Index
	r       *Request
	q       *query
	page    *Page
	paged   bool // it is not the first page
	ignored *account.Ignored
	rooms   map[store.RoomNum]*foundRoom
	nums    []store.RoomNum // of rooms, in order
	work    work
	best    best
}

// foundRoom is a room in which the user searches.
type foundRoom struct {
	room   *store.Room
	access timeline.Access
	eyes   *timeline.Eyes
}

func (f *finder) run(ctx context.Context) error {
	if err := f.x.catchUp(ctx); err != nil {
		return err
	}
	var err error
	if f.ignored, err = f.x.accounts.Ignored(ctx, f.r.User); err != nil {
		return err
	}
	if err := f.chooseRooms(ctx); err != nil || len(f.nums) == 0 {
		return err
	}
	if err := f.propose(ctx); err != nil {
		return err
	}
	return f.judge(ctx)
}

// chooseRooms finds the rooms to search: those that the user is in, or was in and has not forgotten, of those that the
// filter selects. It selects the predecessors of the rooms that it names, too.
func (f *finder) chooseRooms(ctx context.Context) error {
	var members []*store.Membership
	var nums []store.RoomNum
	for m, err := range f.x.store.Memberships(ctx, f.r.User) {
		if err != nil {
			return err
		}
		if m.Membership == "join" || m.Ended != 0 && !m.Forgotten {
			members, nums = append(members, m), append(nums, m.Room)
		}
	}
	rooms, err := f.x.store.RoomsByNum(ctx, nums...)
	if err != nil {
		return err
	}
	older, err := f.x.predecessors(ctx, f.r.Filter)
	if err != nil {
		return err
	}
	for i, room := range rooms {
		if room == nil || room.Deleted || !f.selects(room, older) {
			continue
		}
		a := timeline.Access{Membership: members[i], Joined: true, State: room.State, End: store.MaxOrder, Ignored: f.ignored}
		if members[i].Membership != "join" { // spec: nothing that came after the leave
			a.Joined, a.State, a.End = false, members[i].Left, members[i].Ended+1
		}
		f.rooms[room.Num] = &foundRoom{room: room, access: a, eyes: f.x.timeline.Eyes(f.r.User, room.Num, a)}
		f.nums = append(f.nums, room.Num)
	}
	slices.Sort(f.nums)
	return nil
}

func (f *finder) selects(room *store.Room, older []matrix.RoomID) bool {
	if g := f.page.token.group; g.Kind == GroupRoom && g.Name != string(room.ID) {
		return false
	}
	filter := f.r.Filter
	return filter == nil || filter.Room(room.ID) || slices.Contains(older, room.ID) && !slices.Contains(filter.NotRooms, room.ID)
}

// matches reports whether the keys, the filter and the group ask for an event, whatever its text.
func (f *finder) matches(ctx context.Context, e *store.Event) (bool, error) {
	key := keyOf(e)
	if key == "" || len(f.r.Keys) > 0 && !slices.Contains(f.r.Keys, key) {
		return false, nil
	}
	if g := f.page.token.group; g.Kind == GroupSender && g.Name != string(e.Sender) {
		return false, nil
	}
	if a := f.rooms[e.Room].access; e.RedactedBy != 0 || a.Hides(e) {
		return false, nil
	}
	return f.x.timeline.Selects(ctx, f.r.Filter, e)
}

// judge reads the best proposals and keeps those which the user may see and which are what was searched for, until a
// page is full and it is known whether more follows.
func (f *finder) judge(ctx context.Context) error {
	all := f.best.ranked()
	f.page.Count = f.best.count
	judged := 0
	for len(all) > 0 {
		if judged >= maxJudged {
			f.page.more = true
			return nil
		}
		batch := all[:min(2*f.r.Limit+8, len(all), maxJudged-judged)]
		all = all[len(batch):]
		judged += len(batch)
		events, err := f.read(ctx, batch)
		if err != nil {
			return err
		}
		for i, e := range events {
			result, found, err := f.look(ctx, e)
			if err != nil {
				return err
			}
			if result != nil && len(f.page.Results) == f.r.Limit {
				f.page.more = true
				return nil
			}
			f.page.token.after = batch[i].place()
			if result != nil {
				result.Rank = float64(batch[i].points) / float64(maxPoints*len(f.q.terms))
				f.page.Results = append(f.page.Results, *result)
				f.highlight(found)
			}
		}
	}
	f.page.more = f.best.cut
	return nil
}

// read returns the events of proposals, nil for each that is not there.
func (f *finder) read(ctx context.Context, batch []proposal) ([]*store.Event, error) {
	positions := make([]store.Pos, len(batch))
	for i, p := range batch {
		positions[i] = p.pos
	}
	notes, err := f.x.store.NotesAt(ctx, positions...)
	if err != nil {
		return nil, err
	}
	places := make(map[store.RoomNum][]int)
	for i, n := range notes {
		if n.Kind == store.KindEvent && n.Room == batch[i].room {
			places[n.Room] = append(places[n.Room], i)
		}
	}
	out := make([]*store.Event, len(batch))
	for room, at := range places {
		orders := make([]store.Order, len(at))
		for j, i := range at {
			orders[j] = notes[i].Order
		}
		events, err := f.x.eventsAt(ctx, room, orders)
		if err != nil {
			return nil, err
		}
		for j, i := range at {
			out[i] = events[j]
		}
	}
	return out, nil
}

// look judges one event; the result is nil if it is none.
func (f *finder) look(ctx context.Context, e *store.Event) (*Result, []string, error) {
	if e == nil {
		return nil, nil, nil
	}
	if ok, err := f.matches(ctx, e); err != nil || !ok {
		return nil, nil, err
	}
	r := f.rooms[e.Room]
	seen, ok, err := r.eyes.See(ctx, e)
	if err != nil || !ok {
		return nil, nil, err
	}
	text, err := f.text(ctx, seen.Event, r.eyes)
	if err != nil {
		return nil, nil, err
	}
	found, ok := f.q.match(text)
	if !ok {
		return nil, nil, nil
	}
	return &Result{Seen: seen, Room: r.room, Access: r.access}, found, nil
}

// text returns an event's text as the user reads it.
func (f *finder) text(ctx context.Context, e *store.Event, eyes *timeline.Eyes) (string, error) {
	if e.Aggregate != nil && e.Aggregate.Edit != 0 {
		edits, err := f.x.store.EventsAt(ctx, e.Room, e.Aggregate.Edit)
		if err != nil {
			return "", err
		}
		if edit := edits[0]; edit != nil && edit.RedactedBy == 0 {
			seen, ok, err := eyes.See(ctx, edit)
			if err != nil {
				return "", err
			}
			if ok {
				return editedText(seen.Event), nil
			}
		}
	}
	return textOf(keyOf(e), e.Content), nil
}

func (f *finder) highlight(found []string) {
	for _, w := range found {
		w = strings.ToLower(w)
		if len(f.page.Highlights) < maxLights && !slices.Contains(f.page.Highlights, w) {
			f.page.Highlights = append(f.page.Highlights, w)
		}
	}
}
