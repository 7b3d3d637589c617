package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"
)

// How many connections there are over TCP, and how many questions are under way on each.
const (
	connections = 8
	burst       = 64
)

// askTCP asks for a time, or until ctx ends.
func askTCP(ctx context.Context, server netip.AddrPort, all []question, length time.Duration) (answered int, f faults, err error) {
	var (
		wait   sync.WaitGroup
		mu     sync.Mutex // guards the results
		failed error
	)
	for range connections {
		wait.Go(func() {
			u := &underWay{questions: all}
			err := u.converse(ctx, server, length)
			mu.Lock()
			defer mu.Unlock()
			answered += u.answered
			f.add(u.faults)
			if err != nil {
				failed = err
			}
		})
	}
	wait.Wait()
	return answered, f, failed
}

// converse asks on one connection for a time, or until ctx ends.
func (u *underWay) converse(ctx context.Context, server netip.AddrPort, length time.Duration) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", server.String())
	if err != nil {
		return fmt.Errorf("connecting to the server: %w", err)
	}
	defer conn.Close()
	in := bufio.NewReaderSize(conn, 64<<10)
	var out []byte
	answer := make([]byte, 1<<16)
	more, end := burst, time.Now().Add(length)
	for {
		out = out[:0]
		for range more {
			at := len(out)
			out = u.ask(append(out, 0, 0))
			binary.BigEndian.PutUint16(out[at:], uint16(len(out)-at-2))
		}
		_ = conn.SetDeadline(time.Now().Add(patience))
		if _, err := conn.Write(out); err != nil {
			return fmt.Errorf("sending questions: %w", err)
		}
		before := u.answered
		for u.answered == before || in.Buffered() > 0 {
			if err := u.read(in, answer); err != nil {
				u.giveUp()
				return fmt.Errorf("reading answers: %w", err)
			}
		}
		if more = u.answered - before; ctx.Err() != nil || !time.Now().Before(end) {
			return nil
		}
	}
}

func (u *underWay) read(in *bufio.Reader, answer []byte) error {
	if _, err := io.ReadFull(in, answer[:2]); err != nil {
		return err
	}
	n := binary.BigEndian.Uint16(answer)
	if _, err := io.ReadFull(in, answer[:n]); err != nil {
		return err
	}
	u.take(answer[:n])
	return nil
}
