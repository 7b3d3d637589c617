package agent

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"hearth/matrix"
	"hearth/matrix/wire"
	"hearth/storage/blob"
	"hearth/storage/socket"
)

// Namespace is the box's own in the storage program. It has one table, "probe", with one row, "probe": what the last
// RoundTrip has written.
const Namespace = "box"

const probe = "probe"

// RoundTrip is what a new version must do before it is kept: take a message and give it back, answer a question of DNS, and still
// have what was written when the programs have been stopped and started again.
//
// The message goes through the Client-Server API from a user of the box's own. It is made at the first trip by the
// homeserver's administration socket, under a random name that nobody can have taken, and is remembered in the file probe.
type RoundTrip struct {
	Folder  string                          // where the user is remembered
	Client  string                          // URL of the Client-Server API
	Admin   string                          // path of the homeserver's administration socket
	Storage string                          // path of the storage program's socket
	DNS     string                          // path of the DNS server's socket
	Zone    string                          // a zone that it serves; "" if it serves none, and needs only answer
	Reopen  func(ctx context.Context) error // stops the programs and starts them again
	Pause   time.Duration                   // between two tries; 0 for a second
}

// Probe makes the trip. It fails with the last fault when ctx ends, if the programs do not come back before.
func (t *RoundTrip) Probe(ctx context.Context) error {
	mark := rand.Text()
	if err := t.write(ctx, mark); err != nil {
		return fmt.Errorf("writing to storage: %w", err)
	}
	if err := t.ask(ctx); err != nil {
		return fmt.Errorf("asking the DNS server: %w", err)
	}
	sent, err := t.send(ctx, mark)
	if err != nil {
		return fmt.Errorf("sending a message: %w", err)
	}
	if err := t.Reopen(ctx); err != nil {
		return fmt.Errorf("starting the programs again: %w", err)
	}
	return t.again(ctx, func() error {
		if err := t.read(ctx, mark); err != nil {
			return fmt.Errorf("reading from storage what was written before it was opened anew: %w", err)
		}
		if err := t.receive(ctx, sent, mark); err != nil {
			return fmt.Errorf("reading a message that was sent before the store was opened anew: %w", err)
		}
		return nil
	})
}

// again tries until it works, or ctx ends.
func (t *RoundTrip) again(ctx context.Context, try func() error) error {
	pause := t.Pause
	if pause == 0 {
		pause = time.Second
	}
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-ticker.C:
		}
	}
}

func (t *RoundTrip) write(ctx context.Context, mark string) error {
	client, err := socket.Dial(ctx, t.Storage, Namespace, socket.ClientOptions{})
	if err != nil {
		return err
	}
	defer client.Close()
	batch := new(blob.Batch)
	batch.Set(probe, []byte(probe), []byte(mark))
	return client.Apply(ctx, batch)
}

func (t *RoundTrip) read(ctx context.Context, mark string) error {
	client, err := socket.Dial(ctx, t.Storage, Namespace, socket.ClientOptions{})
	if err != nil {
		return err
	}
	defer client.Close()
	rows, err := client.Rows(ctx, blob.RowKey{Table: probe, Key: []byte(probe)})
	if err != nil {
		return err
	}
	if string(rows[0]) != mark {
		return errors.New("it is not there")
	}
	return nil
}

// ask asks who is responsible for the zone.
func (t *RoundTrip) ask(ctx context.Context) error {
	name, err := dnsmessage.NewName(strings.TrimSuffix(t.Zone, ".") + ".")
	if err != nil {
		return err
	}
	question := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: 4711},
		Questions: []dnsmessage.Question{{Name: name, Type: dnsmessage.TypeSOA, Class: dnsmessage.ClassINET}},
	}
	packed, err := question.Pack()
	if err != nil {
		return err
	}
	answer, err := exchange(ctx, t.DNS, packed)
	if err != nil {
		return err
	}
	var m dnsmessage.Message
	if err := m.Unpack(answer); err != nil {
		return err
	}
	switch {
	case m.ID != question.ID || !m.Response:
		return errors.New("what came is no answer to the question")
	case t.Zone != "" && (m.RCode != dnsmessage.RCodeSuccess || len(m.Answers) == 0):
		return fmt.Errorf("it does not serve %s: %v", t.Zone, m.RCode)
	}
	return nil
}

// exchange sends a message as over TCP, with its size before it, and reads one.
func exchange(ctx context.Context, path string, message []byte) ([]byte, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return nil, err
	}
	if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(message))), message...)); err != nil {
		return nil, err
	}
	var size [2]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return nil, err
	}
	answer := make([]byte, binary.BigEndian.Uint16(size[:]))
	_, err = io.ReadFull(conn, answer)
	return answer, err
}

// checker is the box's own user, as it is remembered.
type checker struct {
	Name     string        `json:"name"`
	Password string        `json:"password"`
	Room     matrix.RoomID `json:"room"`
}

// sent is a message that was sent.
type sent struct {
	room  matrix.RoomID
	event matrix.EventID
}

// send sends the mark as a message, and reads it back.
func (t *RoundTrip) send(ctx context.Context, mark string) (sent, error) {
	c, err := t.remembered()
	if err != nil {
		return sent{}, err
	}
	client, err := t.login(ctx, c)
	if err != nil {
		return sent{}, err
	}
	defer client.Close()
	defer client.Logout(context.WithoutCancel(ctx))
	event, err := client.SendText(ctx, c.Room, mark, mark)
	var refused *matrix.Error
	if c.Room == "" || errors.As(err, &refused) && refused.Status < 500 { // the room is of data that were put back
		if c.Room, err = client.CreateRoom(ctx, wire.CreateRoom{Preset: "private_chat", Name: "Self-test"}); err != nil {
			return sent{}, err
		}
		if err := t.remember(c); err != nil {
			return sent{}, err
		}
		event, err = client.SendText(ctx, c.Room, mark, mark)
	}
	if err != nil {
		return sent{}, err
	}
	s := sent{c.Room, event}
	return s, holds(ctx, client, s, mark)
}

// receive reads a message in another session than the one that has sent it.
func (t *RoundTrip) receive(ctx context.Context, s sent, mark string) error {
	c, err := t.remembered()
	if err != nil {
		return err
	}
	client, err := t.login(ctx, c)
	if err != nil {
		return err
	}
	defer client.Close()
	defer client.Logout(context.WithoutCancel(ctx))
	return holds(ctx, client, s, mark)
}

// holds compares a message with what was sent.
func holds(ctx context.Context, client *wire.Client, s sent, mark string) error {
	event, err := client.Event(ctx, s.room, s.event)
	if err != nil {
		return err
	}
	var content struct {
		Body string `json:"body"`
	}
	if err := json.Unmarshal(event.Content, &content); err != nil || content.Body != mark {
		return errors.New("another message was read than was sent")
	}
	return nil
}

// login returns a client of the box's user, which it makes if it is not there.
func (t *RoundTrip) login(ctx context.Context, c *checker) (*wire.Client, error) {
	client := wire.NewClient(t.Client)
	err := client.Login(ctx, c.Name, c.Password, "")
	var refused *matrix.Error
	if errors.As(err, &refused) && refused.Status == http.StatusForbidden {
		if err = t.create(ctx, c); err == nil {
			err = client.Login(ctx, c.Name, c.Password, "")
		}
	}
	return client, err
}

// create makes the box's user.
func (t *RoundTrip) create(ctx context.Context, c *checker) error {
	body, err := json.Marshal(map[string]string{"name": c.Name, "password": c.Password, "kind": "bot", "display_name": "Self-test"})
	if err != nil {
		return err
	}
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", t.Admin)
	}}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://homeserver/admin/v1/users", bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := transport.RoundTrip(request)
	if err != nil {
		return fmt.Errorf("making the box's user: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 1<<10)) // it is only shown
		return fmt.Errorf("making the box's user: %w", matrix.ParseError(response.StatusCode, text))
	}
	return nil
}

func (t *RoundTrip) file() string { return filepath.Join(t.Folder, probe) }

// remembered returns the box's user, made up if there is none.
func (t *RoundTrip) remembered() (*checker, error) {
	text, err := os.ReadFile(t.file())
	c := new(checker)
	if errors.Is(err, fs.ErrNotExist) || err == nil && json.Unmarshal(text, c) != nil {
		c = &checker{Name: "self-test-" + strings.ToLower(rand.Text()), Password: rand.Text()}
		err = t.remember(c)
	}
	if err != nil {
		return nil, fmt.Errorf("remembering the box's user: %w", err)
	}
	return c, nil
}

func (t *RoundTrip) remember(c *checker) error {
	text, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return keepFile(t.file(), string(text)+"\n")
}
