package contract

import (
	"bytes"
	"fmt"
	"net/http"
)

// Watch returns a handler that answers as next does, and tells broken of every answer that breaks the contract. It
// holds the whole of each answer in memory, so it is for tests.
func (c *Contract) Watch(next http.Handler, broken func(error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		method, path := r.Method, r.URL.EscapedPath()
		copied := &copier{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(copied, r)
		if err := c.Check(method, path, copied.status, copied.body.Bytes()); err != nil {
			broken(fmt.Errorf("%s %s: %w\n%.600s", method, path, err, copied.body.Bytes()))
		}
	})
}

// copier keeps a copy of what it writes.
type copier struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (c *copier) WriteHeader(status int) {
	c.status = status
	c.ResponseWriter.WriteHeader(status)
}

func (c *copier) Write(b []byte) (int, error) {
	c.body.Write(b)
	return c.ResponseWriter.Write(b)
}

// Unwrap lets an http.ResponseController reach the connection.
func (c *copier) Unwrap() http.ResponseWriter { return c.ResponseWriter }
