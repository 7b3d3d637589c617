package main

import (
	"bytes"
	"fmt"
	"net/url"
	"time"
)

// filter asks for timelines long enough that a busy room rarely has gaps.
const filter = `{"room":{"timeline":{"limit":1000}},"presence":{"types":[]}}`

// A follower reads one room by long-polling, as one of its members, and checks
// what it reads.
type follower struct {
	conn  *conn
	room  string
	run   int64
	since string
	seen  []int64 // by sender: how many of their messages
	times latencies
	syncs int
	gaps  int
	start time.Time // what times in messages count from
}

// begin takes the position from which to follow.
func (f *follower) begin() error {
	target := "/_matrix/client/v3/sync?timeout=0&filter=" + url.QueryEscape(filter)
	answer, err := f.conn.do("GET", target, nil)
	if err == nil {
		err = f.advance(answer)
	}
	if err != nil {
		return err
	}
	// A server may answer an initial sync from a cache, with a position from
	// before this conversation.
	if answer, err = f.conn.do("GET", target+"&since="+url.QueryEscape(f.since), nil); err != nil {
		return err
	}
	return f.advance(answer)
}

func (f *follower) advance(answer []byte) error {
	next, ok := stringMember(answer, "next_batch")
	if !ok {
		return fmt.Errorf("a sync without next_batch: %.100q", answer)
	}
	f.since = next
	return nil
}

// poll waits for what is new and takes it.
func (f *follower) poll(timeout time.Duration) error {
	target := fmt.Sprintf("/_matrix/client/v3/sync?timeout=%d&since=%s&filter=%s",
		timeout.Milliseconds(), url.QueryEscape(f.since), url.QueryEscape(filter))
	answer, err := f.conn.do("GET", target, nil)
	if err != nil {
		return err
	}
	f.syncs++
	now := time.Since(f.start)
	if bytes.Contains(answer, []byte(`"limited":true`)) {
		return f.takeWithGap(answer, now)
	}
	if err := eachMessage(answer, func(m message) error { return f.take(m, now) }); err != nil {
		return err
	}
	return f.advance(answer)
}

// take checks that m is the next of its sender's messages.
func (f *follower) take(m message, now time.Duration) error {
	if m.run != f.run {
		return fmt.Errorf("a message of conversation %d came in conversation %d", m.run, f.run)
	}
	if m.sender < 0 || m.sender >= int64(len(f.seen)) {
		return fmt.Errorf("a message came from sender %d, who does not exist", m.sender)
	}
	if want := f.seen[m.sender]; m.sequence != want {
		return fmt.Errorf("sender %d: message %d came where %d was due", m.sender, m.sequence, want)
	}
	f.seen[m.sender]++
	f.times = append(f.times, now-m.sent)
	return nil
}

// takeWithGap takes the messages before the answer's timeline from /messages,
// as any client must, and then the timeline's own.
func (f *follower) takeWithGap(answer []byte, now time.Duration) error {
	f.gaps++
	var latest []message // latest first
	collect := func(m message) error { latest = append(latest, m); return nil }
	var timeline []message
	if err := eachMessage(answer, func(m message) error { timeline = append(timeline, m); return nil }); err != nil {
		return err
	}
	from, ok := stringMember(answer, "prev_batch")
	if !ok {
		return fmt.Errorf("a limited timeline without prev_batch")
	}
	to := f.since
	if err := f.advance(answer); err != nil {
		return err
	}
	for from != "" {
		target := fmt.Sprintf("/_matrix/client/v3/rooms/%s/messages?dir=b&limit=1000&from=%s&to=%s",
			url.PathEscape(f.room), url.QueryEscape(from), url.QueryEscape(to))
		page, err := f.conn.do("GET", target, nil)
		if err != nil {
			return err
		}
		before := len(latest)
		if err := eachMessage(page, collect); err != nil {
			return err
		}
		end, _ := stringMember(page, "end")
		if from = end; len(latest) == before {
			break
		}
	}
	for i := len(latest) - 1; i >= 0; i-- {
		if err := f.take(latest[i], now); err != nil {
			return fmt.Errorf("in a gap: %w", err)
		}
	}
	for _, m := range timeline {
		if err := f.take(m, now); err != nil {
			return fmt.Errorf("after a gap: %w", err)
		}
	}
	return nil
}

// hasAll reports whether every sender's messages were seen to the last.
func (f *follower) hasAll(sent []int64) bool {
	for i, n := range sent {
		if f.seen[i] < n {
			return false
		}
	}
	return true
}
