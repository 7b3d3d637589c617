package clientsync

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"net/http"
	"slices"
	"testing"
	"time"

	"hearth/homeserver/account"
	"hearth/homeserver/e2ee"
	"hearth/homeserver/presence"
	"hearth/homeserver/push"
	"hearth/homeserver/room"
	"hearth/homeserver/store"
	"hearth/homeserver/timeline"
	"hearth/matrix"
	"hearth/matrix/event"
	"hearth/storage/blob"
	"hearth/storage/blobtest"
)

const here = matrix.ServerName("here.example")

// world is a homeserver without its HTTP.
type world struct {
	tb       testing.TB
	store    *store.Store
	accounts *account.Accounts
	rooms    *room.Rooms
	timeline *timeline.Timeline
	e2ee     *e2ee.E2EE
	push     *push.Push
	present  *presence.Tracker
	sync     *Syncer
	log      *bytes.Buffer // read it only when nothing runs
}

// newWorld builds a homeserver over a backend, nil for a new one in memory. The caller closes it.
func newWorld(tb testing.TB, backend blob.Store) *world {
	tb.Helper()
	if backend == nil {
		backend = blobtest.NewMemory()
	}
	w := &world{tb: tb, log: new(bytes.Buffer)}
	log := slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelWarn}))
	var err error
	if w.store, err = store.Open(context.Background(), backend, store.Options{Log: log}); err != nil {
		tb.Fatal(err)
	}
	w.accounts = account.New(w.store, account.Options{Server: here, Cost: account.Cost{Memory: 8, Time: 1, Threads: 1}})
	signer := event.Signer{Server: here, KeyID: "ed25519:test", Key: ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))}
	w.rooms = room.New(w.store, w.accounts, room.Options{Signer: signer, Now: time.Now, Rand: rand.Reader, Hot: 1024})
	w.timeline = timeline.New(w.store, w.accounts)
	w.e2ee = e2ee.New(w.store, w.accounts, e2ee.Options{})
	w.startSync(log)
	return w
}

// startSync starts a syncer that remembers nothing.
func (w *world) startSync(log *slog.Logger) {
	w.push = push.New(w.store, w.accounts, log)
	w.present = presence.New(w.store, presence.Options{Log: log})
	w.sync = New(w.store, w.accounts, w.timeline, w.e2ee, w.push, Options{Log: log, Presence: w.present})
}

func (w *world) close() {
	w.sync.Close()
	w.present.Close()
	w.store.Close()
}

// user registers a user and logs in.
func (w *world) user(name string) account.Session {
	w.tb.Helper()
	id, err := w.accounts.Create(context.Background(), name, "a good password", account.NewUser{})
	if err != nil {
		w.tb.Fatal(err)
	}
	return w.login(id)
}

func (w *world) login(id matrix.UserID) account.Session {
	w.tb.Helper()
	s, err := w.accounts.NewSession(context.Background(), id, "", "")
	if err != nil {
		w.tb.Fatal(err)
	}
	return s
}

// room makes a public room with a name in which all of these are.
func (w *world) room(name string, owner account.Session, others ...account.Session) *store.Room {
	w.tb.Helper()
	ctx := context.Background()
	id, err := w.rooms.Create(ctx, room.Creation{Creator: owner.User, Public: true, Name: &name})
	if err != nil {
		w.tb.Fatal(err)
	}
	r, err := w.store.RoomByID(ctx, id)
	if err != nil {
		w.tb.Fatal(err)
	}
	for _, s := range others {
		w.member(r, s.User, s.User, "join")
	}
	return r
}

func (w *world) member(r *store.Room, sender, target matrix.UserID, membership string) {
	w.tb.Helper()
	if _, err := w.rooms.SetMembership(context.Background(), r, room.Change{Sender: sender, Target: target, Membership: membership}); err != nil {
		w.tb.Fatal(err)
	}
}

func (w *world) say(r *store.Room, s account.Session, text string) matrix.EventID {
	w.tb.Helper()
	content := append(matrix.AppendString([]byte(`{"msgtype":"m.text","body":`), text), '}')
	id, err := w.rooms.Send(context.Background(), r, room.Message{
		Sender: s.User, Device: s.Device, Type: "m.room.message", Content: content, Txn: rand.Text(),
	})
	if err != nil {
		w.tb.Fatal(err)
	}
	return id
}

// answer is as much of an answer as these tests look at.
type answer struct {
	NextBatch string `json:"next_batch"`
	Presence  struct {
		Events []struct {
			Sender  matrix.UserID
			Content struct{ Presence string }
		}
	}
	Rooms struct {
		Join map[matrix.RoomID]struct {
			Timeline struct {
				Events []struct {
					Type    string
					Content struct{ Body string }
				}
				Limited bool
			}
			Ephemeral struct {
				Events []struct {
					Type    string
					Content struct {
						Users []matrix.UserID `json:"user_ids"`
					}
				}
			}
			Unread struct {
				Count int64 `json:"notification_count"`
			} `json:"unread_notifications"`
		}
	}
}

// bodies lists the messages of a room's timeline.
func (a *answer) bodies(r *store.Room) []string {
	var out []string
	for _, e := range a.Rooms.Join[r.ID].Timeline.Events {
		if e.Type == "m.room.message" {
			out = append(out, e.Content.Body)
		}
	}
	return out
}

// present lists who is said to be how present.
func (a *answer) present() []string {
	var out []string
	for _, e := range a.Presence.Events {
		out = append(out, e.Sender.Localpart()+" "+e.Content.Presence)
	}
	return out
}

// typing lists who types in a room; nil if the answer does not say.
func (a *answer) typing(r *store.Room) []matrix.UserID {
	for _, e := range a.Rooms.Join[r.ID].Ephemeral.Events {
		if e.Type == "m.typing" {
			return append([]matrix.UserID{}, e.Content.Users...)
		}
	}
	return nil
}

// recorder is a ResponseWriter that keeps the answer.
type recorder struct {
	header http.Header
	body   []byte
}

func (r *recorder) Header() http.Header {
	if r.header == nil {
		r.header = make(http.Header)
	}
	return r.header
}
func (r *recorder) WriteHeader(int) {}
func (r *recorder) Write(p []byte) (int, error) {
	r.body = append(r.body, p...)
	return len(p), nil
}

func (w *world) ask(s account.Session, q Request) (*answer, error) {
	var rec recorder
	if err := w.sync.Sync(context.Background(), &rec, s, q); err != nil {
		return nil, err
	}
	a := new(answer)
	return a, json.Unmarshal(rec.body, a)
}

// mustAsk is ask without an error.
func (w *world) mustAsk(s account.Session, since string, timeout time.Duration) *answer {
	w.tb.Helper()
	a, err := w.ask(s, Request{Since: since, Timeout: timeout})
	if err != nil {
		w.tb.Fatal(err)
	}
	return a
}

// hiddenAsk is mustAsk by somebody who does not show up.
func (w *world) hiddenAsk(s account.Session, since string, timeout time.Duration) *answer {
	w.tb.Helper()
	a, err := w.ask(s, Request{Since: since, Timeout: timeout, Presence: presence.Offline})
	if err != nil {
		w.tb.Fatal(err)
	}
	return a
}

func wantBodies(tb testing.TB, a *answer, r *store.Room, want ...string) {
	tb.Helper()
	if got := a.bodies(r); !slices.Equal(got, want) {
		tb.Errorf("messages %q, want %q", got, want)
	}
}
