package clientapi

import (
	"context"
	"net/http"
	"slices"

	"hearth/homeserver/account"
	"hearth/homeserver/search"
	"hearth/homeserver/store"
	"hearth/homeserver/timeline"
	"hearth/matrix"
	"hearth/matrix/event"
	"hearth/matrix/wire"
)

func (a *API) searchRoutes(m *wire.Mux) {
	m.Handle("POST /_matrix/client/v3/search", a.authed(a.search))
}

// The bounds of an answer: results in a page, and events before and after each.
const (
	defaultResults = 10
	maxResults     = 100
	defaultAround  = 5
	maxAround      = 50
)

// criteria is what a search for events asks.
// spec: client-server-api#post_matrixclientv3search
type criteria struct {
	Term      *string               `json:"search_term"`
	Keys      []string              `json:"keys"`
	Filter    *timeline.EventFilter `json:"filter"`
	OrderBy   string                `json:"order_by"`
	Context   *contextCriteria      `json:"event_context"`
	State     bool                  `json:"include_state"`
	Groupings struct {
		By []struct {
			Key string `json:"key"`
		} `json:"group_by"`
	} `json:"groupings"`
}

type contextCriteria struct {
	Before  *int64 `json:"before_limit"`
	After   *int64 `json:"after_limit"`
	Profile bool   `json:"include_profile"`
}

func (c *criteria) check() error {
	bad := func(format string, args ...any) error {
		return matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, format, args...)
	}
	if c.Term == nil {
		return matrix.Errorf(http.StatusBadRequest, matrix.MMissingParam, "search_term is missing")
	}
	for _, k := range c.Keys {
		if !slices.Contains(search.Keys(), k) {
			return bad("There is no key %.100q to search", k)
		}
	}
	if c.OrderBy != "" && c.OrderBy != "rank" && c.OrderBy != "recent" {
		return bad("Results are ordered by rank or recent, not %.100q", c.OrderBy)
	}
	for _, g := range c.Groupings.By {
		if g.Key != "room_id" && g.Key != "sender" {
			return bad("Results are grouped by room_id or sender, not %.100q", g.Key)
		}
	}
	for _, n := range []*int64{c.around().Before, c.around().After} {
		if n != nil && *n < 0 {
			return bad("A limit is not negative")
		}
	}
	if c.Filter == nil {
		return nil
	}
	return c.Filter.Check()
}

func (c *criteria) around() contextCriteria {
	if c.Context == nil {
		return contextCriteria{}
	}
	return *c.Context
}

func (c *criteria) groups(key string) bool {
	for _, g := range c.Groupings.By {
		if g.Key == key {
			return true
		}
	}
	return false
}

// search serves the category room_events; others are not known, and left out of the answer.
// spec: client-server-api#server-side-search
func (a *API) search(w http.ResponseWriter, r *http.Request, s account.Session) error {
	query, err := wire.Query(r)
	if err != nil {
		return err
	}
	body, err := wire.ReadObject(w, r, maxBody)
	if err != nil {
		return err
	}
	categories, ok := matrix.Field(body, "search_categories")
	if !ok || !matrix.IsObject(categories) {
		return matrix.Errorf(http.StatusBadRequest, matrix.MMissingParam, "search_categories is missing")
	}
	asked, ok := matrix.Field(categories, "room_events")
	if !ok {
		return wire.Raw(w, []byte(`{"search_categories":{}}`))
	}
	var c criteria
	if !matrix.IsObject(asked) {
		return matrix.Errorf(http.StatusBadRequest, matrix.MBadJSON, "room_events must be an object")
	}
	if err := wire.Decode(asked, &c); err != nil {
		return err
	}
	if err := c.check(); err != nil {
		return err
	}
	bound, err := matrix.Canonical(asked)
	if err != nil {
		return matrix.Errorf(http.StatusBadRequest, matrix.MBadJSON, "room_events is malformed")
	}
	q := search.Request{
		User: s.User, Term: *c.Term, Keys: c.Keys, Filter: c.Filter, Recent: c.OrderBy == "recent",
		Limit: defaultResults, Next: query.Get("next_batch"), Bound: string(bound),
	}
	if c.Filter != nil {
		q.Limit = max(1, c.Filter.Max(defaultResults, maxResults))
	}
	page, err := a.Search.Find(r.Context(), q)
	if err != nil {
		return err
	}
	return a.writeFound(w, r, s, &c, page)
}

func (a *API) writeFound(w http.ResponseWriter, r *http.Request, s account.Session, c *criteria, page *search.Page) error {
	out := wire.NewStream(w)
	out.Open('{')
	out.Name("search_categories")
	out.Open('{')
	out.Name("room_events")
	out.Open('{')
	out.Name("count")
	out.Int(int64(page.Count))
	writeGroups(out, c, page)
	out.Name("highlights")
	out.Value(append([]string{}, page.Highlights...))
	if next := page.Next(); next != "" {
		out.Name("next_batch")
		out.String(next)
	}
	out.Name("results")
	out.Open('[')
	for i := range page.Results {
		if err := a.writeResult(r.Context(), out, s, c, &page.Results[i]); err != nil {
			return out.Fail(err)
		}
	}
	out.Close(']')
	if c.State {
		if err := a.writeStates(r.Context(), out, s, page); err != nil {
			return out.Fail(err)
		}
	}
	out.Close('}')
	out.Close('}')
	out.Close('}')
	return out.End()
}

// writeGroups writes the groups that were asked for, in the order of their first results.
// spec: client-server-api#groups
func writeGroups(out *wire.Stream, c *criteria, page *search.Page) {
	if len(c.Groupings.By) == 0 {
		return
	}
	out.Name("groups")
	out.Open('{')
	if c.groups("room_id") {
		writeGroup(out, "room_id", search.GroupRoom, page, func(r *search.Result) string { return string(r.Room.ID) })
	}
	if c.groups("sender") {
		writeGroup(out, "sender", search.GroupSender, page, func(r *search.Result) string { return string(r.Sender) })
	}
	out.Close('}')
}

func writeGroup(out *wire.Stream, name string, kind int, page *search.Page, of func(*search.Result) string) {
	var values []string
	members := make(map[string][]matrix.EventID)
	for i := range page.Results {
		value := of(&page.Results[i])
		if members[value] == nil {
			values = append(values, value)
		}
		members[value] = append(members[value], page.Results[i].ID)
	}
	out.Name(name)
	out.Open('{')
	for i, value := range values {
		out.Name(value)
		out.Open('{')
		if next := page.NextIn(search.Group{Kind: kind, Name: value}); next != "" {
			out.Name("next_batch")
			out.String(next)
		}
		out.Name("order")
		out.Int(int64(i + 1))
		out.Name("results")
		out.Value(members[value])
		out.Close('}')
	}
	out.Close('}')
}

func (a *API) writeResult(ctx context.Context, out *wire.Stream, s account.Session, c *criteria, found *search.Result) error {
	v := a.roomView(s, found.Room, found.Access)
	around := &timeline.Context{Event: found.Seen}
	if c.Context != nil {
		var err error
		before, after := aroundLimit(c.Context.Before), aroundLimit(c.Context.After)
		if around, err = a.Timeline.Around(ctx, found.Room, v.Eyes, found.Seen, before, after, nil); err != nil {
			return err
		}
	}
	if err := a.prepare(ctx, v, around.Before, around.After, []timeline.Seen{found.Seen}); err != nil {
		return err
	}
	out.Open('{')
	if c.Context != nil {
		out.Name("context")
		if err := a.writeAround(ctx, out, v, c, found.Room, around); err != nil {
			return err
		}
	}
	out.Name("rank")
	out.Value(found.Rank)
	out.Name("result")
	out.Raw(v.Append(nil, found.Event, found.Membership))
	out.Close('}')
	return nil
}

func aroundLimit(asked *int64) int {
	if asked == nil {
		return defaultAround
	}
	return int(min(*asked, maxAround))
}

func (a *API) writeAround(ctx context.Context, out *wire.Stream, v *timeline.View, c *criteria, room *store.Room, around *timeline.Context) error {
	out.Open('{')
	out.Name("end")
	out.String(around.End)
	writeEvents(out, "events_after", v, around.After)
	writeEvents(out, "events_before", v, around.Before)
	if c.Context.Profile {
		if err := a.writeProfiles(ctx, out, room, around); err != nil {
			return err
		}
	}
	out.Name("start")
	out.String(around.Start)
	out.Close('}')
	return nil
}

// writeProfiles writes what the senders were called in the room at the last event.
func (a *API) writeProfiles(ctx context.Context, out *wire.Stream, room *store.Room, around *timeline.Context) error {
	var keys []event.Key
	for _, e := range slices.Concat(around.Before, []timeline.Seen{around.Event}, around.After) {
		if k := (event.Key{Type: "m.room.member", StateKey: string(e.Sender)}); !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	members, err := a.Store.StateEvents(ctx, room.Num, around.Root, keys...)
	if err != nil {
		return err
	}
	out.Name("profile_info")
	out.Open('{')
	for i, m := range members {
		if m == nil {
			continue
		}
		out.Name(keys[i].StateKey)
		out.Open('{')
		for _, field := range []string{"avatar_url", "displayname"} {
			if value, ok := matrix.StringField(m.Content, field); ok {
				out.Name(field)
				out.String(value)
			}
		}
		out.Close('}')
	}
	out.Close('}')
	return nil
}

// writeStates writes the state of each room with results, as the user sees it.
func (a *API) writeStates(ctx context.Context, out *wire.Stream, s account.Session, page *search.Page) error {
	out.Name("state")
	out.Open('{')
	var done []matrix.RoomID
	for i := range page.Results {
		r := &page.Results[i]
		if slices.Contains(done, r.Room.ID) {
			continue
		}
		done = append(done, r.Room.ID)
		out.Name(string(r.Room.ID))
		out.Open('[')
		entries, err := a.Timeline.Entries(ctx, r.Access.State, nil, nil)
		if err != nil {
			return err
		}
		if err := a.writeState(ctx, out, a.roomView(s, r.Room, r.Access), r.Room, entries, nil); err != nil {
			return err
		}
		out.Close(']')
	}
	out.Close('}')
	return nil
}
