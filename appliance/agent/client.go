package agent

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"hearth/appliance/ota"
)

// A Client speaks to one box, from its owner's laptop.
type Client struct {
	host   string
	laptop *Laptop
	http   *http.Client
	key    ed25519.PrivateKey

	// Pause is between two tries of what a box that restarts does not answer; 0 for a second.
	Pause time.Duration

	mu    sync.Mutex        // guards box
	box   ed25519.PublicKey // the key that the box must show; nil until it was met
	first bool              // it was met now
}

// maxAnswer is the most that a box says at once, but for its log.
const maxAnswer = 4 << 20

// Dial returns a client for a box, which it has not called yet. The address is a host, or host and port; dial connects to it. If a
// fingerprint is given, the box must have it.
func (l *Laptop) Dial(address, fingerprint string, dial func(ctx context.Context, network, address string) (net.Conn, error)) (*Client, error) {
	host := strings.ToLower(address)
	if _, _, err := net.SplitHostPort(host); err != nil {
		host = net.JoinHostPort(strings.Trim(host, "[]"), Port)
	}
	key, _, err := l.Key()
	if err != nil {
		return nil, err
	}
	c := &Client{host: host, laptop: l, key: key}
	if c.box, err = l.known(host); err != nil {
		return nil, err
	}
	config, err := secure(key, func(shown ed25519.PublicKey) error { return c.judge(shown, fingerprint) })
	if err != nil {
		return nil, err
	}
	c.http = &http.Client{Transport: &http.Transport{
		TLSClientConfig: config, DialContext: dial,
		TLSHandshakeTimeout: 30 * time.Second, ResponseHeaderTimeout: 5 * time.Minute, IdleConnTimeout: silence,
	}}
	return c, nil
}

// Close lets go of the connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// judge compares the key that the box shows with the one that it must have, and takes the first as the right one.
func (c *Client) judge(shown ed25519.PublicKey, fingerprint string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if fingerprint != "" && ota.Fingerprint(shown) != fingerprint {
		return fmt.Errorf("%s shows the key %s, not %s", c.host, ota.Fingerprint(shown), fingerprint)
	}
	if c.box == nil {
		c.box, c.first = shown, true
		return c.laptop.remember(c.host, shown)
	}
	if !c.box.Equal(shown) {
		return c.laptop.errStranger(c.host, c.box, shown)
	}
	return nil
}

// First reports whether the box was met for the first time.
func (c *Client) First() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.first
}

// Fingerprint returns that of the box's key, "" before it was met.
func (c *Client) Fingerprint() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.box == nil {
		return ""
	}
	return ota.Fingerprint(c.box)
}

// A Refusal is what a box answers if it does not do what it was asked.
type Refusal struct {
	Status  int
	Message string // one sentence
}

// Error returns the sentence.
func (r *Refusal) Error() string { return r.Message }

// do calls the box, and returns its answer if it is no refusal.
func (c *Client) do(ctx context.Context, method, path string, header http.Header, body io.Reader, size int64) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, "https://"+c.host+path, body)
	if err != nil {
		return nil, fmt.Errorf("calling %s: %w", c.host, err)
	}
	for name, values := range header {
		request.Header[name] = values
	}
	request.ContentLength = size
	response, err := c.http.Do(request)
	if err != nil {
		return nil, fmt.Errorf("calling %s: %w", c.host, err)
	}
	if response.StatusCode == http.StatusOK {
		return response, nil
	}
	defer response.Body.Close()
	var p problem
	if err := json.NewDecoder(io.LimitReader(response.Body, maxAnswer)).Decode(&p); err != nil || p.Error == "" {
		p.Error = "the box answers " + response.Status
	}
	return nil, &Refusal{response.StatusCode, p.Error}
}

// ask is do for an answer in JSON.
func (c *Client) ask(ctx context.Context, method, path string, header http.Header, body []byte, out any) error {
	response, err := c.do(ctx, method, path, header, bytes.NewReader(body), int64(len(body)))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if err := json.NewDecoder(io.LimitReader(response.Body, maxAnswer)).Decode(out); err != nil {
		return fmt.Errorf("reading the answer of %s: %w", c.host, err)
	}
	return nil
}

// Enrol makes this laptop's key the owner's if the box has none. It fails if the box has another.
func (c *Client) Enrol(ctx context.Context) (*Enrolled, error) {
	out := new(Enrolled)
	return out, c.ask(ctx, http.MethodPost, "/v1/enrol", nil, nil, out)
}

// Status returns how the box is.
func (c *Client) Status(ctx context.Context) (*Status, error) {
	out := new(Status)
	return out, c.ask(ctx, http.MethodGet, "/v1/status", nil, nil, out)
}

// Reboot restarts the box.
func (c *Client) Reboot(ctx context.Context) error {
	return c.ask(ctx, http.MethodPost, "/v1/reboot", nil, nil, new(struct{}))
}

// Logs copies the latest lines of the box's log, and if follow is set those that come, until ctx ends.
func (c *Client) Logs(ctx context.Context, lines int, follow bool, w io.Writer) error {
	path := "/v1/logs?lines=" + strconv.Itoa(lines) + "&follow=" + strconv.FormatBool(follow)
	response, err := c.do(ctx, http.MethodGet, path, nil, nil, 0)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(w, response.Body); err != nil && ctx.Err() == nil {
		return fmt.Errorf("reading the log of %s: %w", c.host, err)
	}
	return nil
}

// Progress is told how an update goes on.
type Progress interface {
	Sending(done, total int64) // bytes that the box lacked
	Stage(stage string)
}

// tries is how often an upload that breaks off is gone on with, if no byte came meanwhile.
const tries = 5

// Update sends a bundle that the box then tries, and returns when it restarts for that. A connection that breaks is made anew, and
// nothing that came is sent again.
func (c *Client) Update(ctx context.Context, bundle *ota.Bundle, progress Progress) error {
	session := http.Header{SessionHeader: {rand.Text()}}
	var total, last int64 = -1, -1
	for failed := 0; ; {
		missing := new(Missing)
		err := c.ask(ctx, http.MethodPost, "/v1/update", session, bundle.Bytes(), missing)
		if err == nil {
			if total < 0 {
				total = missing.Bytes
			}
			if last >= 0 && missing.Bytes < last {
				failed = 0
			}
			last = missing.Bytes
			err = c.upload(ctx, bundle, session, missing, max(total, missing.Bytes), progress)
		}
		var refused *Refusal
		if err == nil || errors.As(err, &refused) || ctx.Err() != nil {
			return err
		}
		if failed++; failed >= tries {
			return err
		}
		if err := c.pause(ctx); err != nil {
			return err
		}
	}
}

func (c *Client) pause(ctx context.Context) error {
	pause := c.Pause
	if pause == 0 {
		pause = time.Second
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// upload sends what is missing, and reads how the update goes on.
func (c *Client) upload(ctx context.Context, bundle *ota.Bundle, session http.Header, missing *Missing, total int64, progress Progress) error {
	content, size, err := bundle.Chunks(missing.Chunks)
	if err != nil {
		return &Refusal{http.StatusBadGateway, err.Error()}
	}
	progress.Sending(total-size, total)
	body := &counted{r: content, done: total - size, total: total, progress: progress}
	response, err := c.do(ctx, http.MethodPut, "/v1/update", session, body, size)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	stages := json.NewDecoder(io.LimitReader(response.Body, maxAnswer))
	saving := false
	for {
		var stage Stage
		err := stages.Decode(&stage)
		switch {
		case err != nil && saving:
			return nil // it may have restarted before we heard so; who waits for it will see
		case err != nil:
			return fmt.Errorf("reading how the update of %s goes on: %w", c.host, err)
		case stage.Error != "":
			return &Refusal{http.StatusUnprocessableEntity, stage.Error}
		}
		progress.Stage(stage.Stage)
		if stage.Stage == Restarting {
			return nil
		}
		saving = stage.Stage == Saving
	}
}

// counted tells how much of a body was read.
type counted struct {
	r           io.Reader
	done, total int64
	progress    Progress
}

// Read implements io.Reader.
func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.done += int64(n)
	c.progress.Sending(c.done, c.total)
	return n, err
}

// unwell is how often Await looks at a box that has decided and is not well, before it leaves that to its owner.
const unwell = 60

// Await waits until the box has decided about a version that it tries, and serves, and returns how it is then.
func (c *Client) Await(ctx context.Context, number uint64) (*Status, error) {
	looks := 0
	for {
		status, err := c.Status(ctx)
		if err == nil && status.decided(number) {
			if looks++; status.Health.Well || looks >= unwell {
				return status, nil
			}
		}
		var refused *Refusal
		if errors.As(err, &refused) && refused.Status == http.StatusForbidden {
			return nil, err
		}
		if waited := c.pause(ctx); waited != nil {
			if err == nil {
				err = errors.New("it has not decided yet")
			}
			return nil, fmt.Errorf("waiting for %s: %w", c.host, err)
		}
	}
}

// decided reports whether the box has kept or undone a version, and lets the outside in.
func (s *Status) decided(number uint64) bool {
	return !s.Trial && s.Update != nil && s.Update.Number == number && s.Update.Outcome != ota.Undecided
}
