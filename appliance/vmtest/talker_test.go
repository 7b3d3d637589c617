package vmtest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
	"time"

	"hearth/matrix"
	"hearth/matrix/wire"
)

// senders is how many messages are under way at once.
const senders = 4

// talker sends messages, and remembers those that were acknowledged.
type talker struct {
	session wire.Client // without HTTP: a machine's connections end with it
	room    matrix.RoomID

	mu    sync.Mutex // guards what follows
	next  int
	acked map[matrix.EventID]string
}

// register makes a talker with an account and a room on a box.
func register(ctx context.Context, base, name string) (*talker, error) {
	client := wire.NewClient(base)
	defer client.Close()
	if err := client.Register(ctx, name, "correct horse"); err != nil {
		return nil, fmt.Errorf("registering: %w", err)
	}
	room, err := client.CreateRoom(ctx, wire.CreateRoom{Preset: "private_chat"})
	if err != nil {
		return nil, fmt.Errorf("making a room: %w", err)
	}
	session := *client
	session.HTTP = nil
	return &talker{session: session, room: room, acked: make(map[matrix.EventID]string)}, nil
}

// connect returns a client with connections of its own.
func (k *talker) connect() *wire.Client {
	client := wire.NewClient(k.session.Base)
	client.Token, client.User, client.Device = k.session.Token, k.session.User, k.session.Device
	return client
}

// say sends one message.
func (k *talker) say(ctx context.Context, client *wire.Client) error {
	k.mu.Lock()
	k.next++
	text := "message " + strconv.Itoa(k.next)
	k.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	event, err := client.SendText(ctx, k.room, text, text)
	if err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.acked[event] = text
	return nil
}

// talk sends messages until ctx ends. Those that cannot be sent do not matter: a box that restarts takes none.
func (k *talker) talk(ctx context.Context) {
	var all sync.WaitGroup
	for range senders {
		all.Go(func() {
			client := k.connect()
			defer client.Close()
			again := time.NewTicker(200 * time.Millisecond)
			defer again.Stop()
			for ctx.Err() == nil {
				if k.say(ctx, client) == nil {
					continue
				}
				select {
				case <-ctx.Done():
				case <-again.C:
				}
			}
		})
	}
	all.Wait()
}

// meanwhile talks while something is done.
func (k *talker) meanwhile(ctx context.Context, do func()) {
	ctx, cancel := context.WithCancel(ctx)
	var talking sync.WaitGroup
	talking.Go(func() { k.talk(ctx) })
	do()
	cancel()
	talking.Wait()
}

func (k *talker) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.acked)
}

// check reads the room, and returns an error if something that was acknowledged is not there.
func (k *talker) check(ctx context.Context) error {
	client := k.connect()
	defer client.Close()
	found := make(map[matrix.EventID]string)
	for from := ""; ; {
		page, err := client.Messages(ctx, k.room, "b", from, 500)
		if err != nil {
			return fmt.Errorf("reading the room: %w", err)
		}
		for _, event := range page.Chunk {
			var content struct {
				Body string `json:"body"`
			}
			if err := json.Unmarshal(event.Content, &content); err != nil {
				return fmt.Errorf("reading %s: %w", event.ID, err)
			}
			found[event.ID] = content.Body
		}
		if from = page.End; from == "" {
			break
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	lost := 0
	for event, text := range k.acked {
		if found[event] != text {
			lost++
		}
	}
	if lost > 0 {
		return fmt.Errorf("%d of %d acknowledged messages are lost", lost, len(k.acked))
	}
	return nil
}
