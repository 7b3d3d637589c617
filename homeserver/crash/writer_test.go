package crash_test

import (
	"context"
	"fmt"

	"hearth/matrix"
)

// A writer writes as one person, one request after the other, and remembers
// what was acknowledged.
type writer struct {
	world *world
	who   *person
	other *person // gets the to-device messages

	sent     map[matrix.RoomID][]matrix.EventID // acknowledged messages, in order
	redacted map[matrix.EventID]bool            // acknowledged redactions
	knocks   int                                // acknowledged to-device messages
	data     int                                // the last account data acknowledged
	name     int                                // the last display name acknowledged
	note     int                                // the last piece of state acknowledged
}

func newWriter(w *world, who, other *person) *writer {
	return &writer{world: w, who: who, other: other,
		sent: make(map[matrix.RoomID][]matrix.EventID), redacted: make(map[matrix.EventID]bool)}
}

// run writes until it is over. The last request is always finished.
func (wr *writer) run(ctx context.Context, over <-chan struct{}) error {
	for turn := 1; ; turn++ {
		select {
		case <-over:
			return nil
		case <-ctx.Done():
			return nil // the cause is another's
		default:
		}
		if err := wr.turn(ctx, turn); err != nil {
			return err
		}
	}
}

// turn is mostly a message, and now and then something else as well.
func (wr *writer) turn(ctx context.Context, turn int) error {
	room := wr.world.rooms[turn%rooms]
	if err := wr.message(ctx, room); err != nil {
		return fmt.Errorf("sending: %w", err)
	}
	switch turn % 12 {
	case 2:
		return wr.redact(ctx, room)
	case 4:
		return wr.knock(ctx)
	case 6:
		return wr.count(ctx, &wr.data, func(ctx context.Context, n int) error {
			return wr.who.SetAccountData(ctx, "", "hearth.crash", map[string]int{"n": n})
		})
	case 8:
		return wr.count(ctx, &wr.note, func(ctx context.Context, n int) error {
			_, err := wr.who.SendState(ctx, room, "hearth.note", wr.who.name, map[string]int{"n": n})
			return err
		})
	}
	if turn%96 == 10 { // it writes into every room of the person's
		return wr.count(ctx, &wr.name, func(ctx context.Context, n int) error {
			return wr.who.SetProfileField(ctx, "displayname", fmt.Sprintf("Name %d", n))
		})
	}
	return nil
}

// message sends the next message under a transaction id of its own.
func (wr *writer) message(ctx context.Context, room matrix.RoomID) error {
	n := len(wr.sent[room])
	var id matrix.EventID
	err := wr.world.write(ctx, func(ctx context.Context) (err error) {
		id, err = wr.who.SendText(ctx, room, fmt.Sprintf("message%d", n), fmt.Sprintf("%s says %d", wr.who.name, n))
		return err
	})
	if err == nil {
		wr.sent[room] = append(wr.sent[room], id)
	}
	return err
}

// redact redacts the message before the last.
func (wr *writer) redact(ctx context.Context, room matrix.RoomID) error {
	sent := wr.sent[room]
	if len(sent) < 2 {
		return nil
	}
	target := sent[len(sent)-2]
	err := wr.world.write(ctx, func(ctx context.Context) error {
		_, err := wr.who.Redact(ctx, room, target, "redact"+string(target), "")
		return err
	})
	if err != nil {
		return fmt.Errorf("redacting: %w", err)
	}
	wr.redacted[target] = true
	return nil
}

// knock sends the next to-device message.
func (wr *writer) knock(ctx context.Context) error {
	n := wr.knocks
	err := wr.world.write(ctx, func(ctx context.Context) error {
		return wr.who.SendToDevice(ctx, "hearth.knock", fmt.Sprintf("knock%d", n), map[matrix.UserID]map[string]any{
			wr.other.User: {wr.other.Device: map[string]int{"n": n}},
		})
	})
	if err != nil {
		return fmt.Errorf("sending to a device: %w", err)
	}
	wr.knocks++
	return nil
}

// count sets something to the next number.
func (wr *writer) count(ctx context.Context, last *int, set func(context.Context, int) error) error {
	n := *last + 1
	if err := wr.world.write(ctx, func(ctx context.Context) error { return set(ctx, n) }); err != nil {
		return fmt.Errorf("setting number %d: %w", n, err)
	}
	*last = n
	return nil
}
