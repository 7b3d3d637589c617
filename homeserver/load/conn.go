package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// patience is how long a request may take, in any measurement.
const patience = 60 * time.Second

// A conn is one connection that sends one request after the other for one
// account. It is not for several goroutines at once.
type conn struct {
	nc     net.Conn
	in     *bufio.Reader
	out    []byte
	body   []byte
	header []byte // what all requests have in common
}

func dial(address, token string) (*conn, error) {
	nc, err := net.Dial("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("connecting: %w", err)
	}
	return &conn{
		nc:     nc,
		in:     bufio.NewReaderSize(nc, 16<<10),
		header: []byte(" HTTP/1.1\r\nHost: " + address + "\r\nAuthorization: Bearer " + token + "\r\n"),
	}, nil
}

func (c *conn) close() { c.nc.Close() }

// do sends a request and returns the body of the answer, which is valid until
// the next request. A status other than 200 is an error.
func (c *conn) do(method, target string, body []byte) ([]byte, error) {
	c.out = append(append(append(c.out[:0], method...), ' '), target...)
	c.out = append(c.out, c.header...)
	if body != nil {
		c.out = append(c.out, "Content-Type: application/json\r\nContent-Length: "...)
		c.out = append(strconv.AppendInt(c.out, int64(len(body)), 10), "\r\n"...)
	}
	c.out = append(append(c.out, "\r\n"...), body...)
	if err := c.nc.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	if _, err := c.nc.Write(c.out); err != nil {
		return nil, fmt.Errorf("sending %s: %w", method, err)
	}
	status, err := c.read()
	if err != nil {
		return nil, fmt.Errorf("reading the answer to %s: %w", method, err)
	}
	if status != 200 {
		return nil, fmt.Errorf("%s was answered with %d: %.200s", method, status, c.body)
	}
	return c.body, nil
}

// read reads one answer, its body into c.body.
func (c *conn) read() (status int, err error) {
	line, err := c.line()
	if err != nil {
		return 0, err
	}
	if len(line) < 12 {
		return 0, errors.New("no HTTP answer")
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, errors.New("no HTTP answer")
	}
	length := 0
	chunked := false
	for {
		line, err := c.line()
		if err != nil {
			return 0, err
		}
		if len(line) == 0 {
			break
		}
		if v, ok := value(line, "content-length:"); ok {
			if length, err = strconv.Atoi(string(v)); err != nil {
				return 0, errors.New("no valid Content-Length")
			}
		} else if v, ok := value(line, "transfer-encoding:"); ok {
			chunked = bytes.Equal(v, []byte("chunked"))
		}
	}
	c.body = c.body[:0]
	if chunked {
		return status, c.readChunks()
	}
	return status, c.readBytes(length)
}

func (c *conn) line() ([]byte, error) {
	line, err := c.in.ReadSlice('\n')
	return bytes.TrimRight(line, "\r\n"), err
}

// value returns what follows name, in lower case and with its colon, in a
// header line.
func value(line []byte, name string) ([]byte, bool) {
	if len(line) < len(name) || !bytes.EqualFold(line[:len(name)], []byte(name)) {
		return nil, false
	}
	return bytes.TrimSpace(line[len(name):]), true
}

// readBytes appends the next n bytes to the body.
func (c *conn) readBytes(n int) error {
	start := len(c.body)
	if need := start + n; need > cap(c.body) {
		c.body = append(make([]byte, 0, need+need/2), c.body...)
	}
	c.body = c.body[:start+n]
	_, err := io.ReadFull(c.in, c.body[start:])
	return err
}

func (c *conn) readChunks() error {
	for {
		line, err := c.line()
		if err != nil {
			return err
		}
		n, err := strconv.ParseUint(string(line), 16, 31)
		if err != nil {
			return errors.New("no valid chunk")
		}
		if err := c.readBytes(int(n)); err != nil {
			return err
		}
		if _, err := c.line(); err != nil { // the chunk's end, or the trailer's
			return err
		}
		if n == 0 {
			return nil
		}
	}
}
