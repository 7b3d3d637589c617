package timeline

import (
	"context"

	"hearth/homeserver/store"
	"hearth/matrix/event"
)

// Shown returns an event as it is shown to a user whose membership at the event was this: what somebody wrote who asked
// for erasure is shown redacted to those who were not in the room then. State stays.
// spec: MSC4025
func (t *Timeline) Shown(ctx context.Context, e *store.Event, membership string) (*store.Event, error) {
	if membership == event.Join || e.IsState() || e.RedactedBy != 0 {
		return e, nil
	}
	erased, err := t.accounts.Erased(ctx, e.Sender)
	if err != nil || !erased {
		return e, err
	}
	return emptied(e)
}

// emptied returns the redacted form of an event that was not redacted, without its edits.
func emptied(e *store.Event) (*store.Event, error) {
	redacted, err := e.Redacted()
	if err != nil {
		return nil, err
	}
	out := *e
	out.Event = redacted
	if e.Aggregate != nil {
		sum := *e.Aggregate
		sum.Edit = 0
		out.Aggregate = &sum
	}
	return &out, nil
}

// See returns an event as the user sees it; ok is false if the user does not.
func (y *Eyes) See(ctx context.Context, e *store.Event) (s Seen, ok bool, err error) {
	if y.access.Hides(e) {
		return Seen{}, false, nil
	}
	return y.look(ctx, e)
}

// look is See for who ignores nobody.
func (y *Eyes) look(ctx context.Context, e *store.Event) (s Seen, ok bool, err error) {
	ok, membership, err := y.may(ctx, e)
	if err != nil || !ok {
		return Seen{}, false, err
	}
	if e, err = y.t.Shown(ctx, e, membership); err != nil {
		return Seen{}, false, err
	}
	return Seen{e, membership}, true, nil
}
