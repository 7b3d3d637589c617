package blob

import (
	"errors"
	"fmt"
)

// Kind is the class of a store's error: a closed list, which the socket protocol carries as one byte.
type Kind uint8

// The kinds. Internal is whatever has no kind of its own.
const (
	Internal    Kind = 0 // a fault of the store itself
	Conflict    Kind = 1 // a root does not name what the edit expected; nothing was changed
	Corrupt     Kind = 2 // what was read is damaged; the error names it
	Full        Kind = 3 // the disk is full; nothing was changed, reads go on
	TooLarge    Kind = 4 // the request exceeds a limit; nothing was changed
	Invalid     Kind = 5 // the request is malformed; nothing was changed
	Denied      Kind = 6 // this peer may not do this
	Unavailable Kind = 7 // the store cannot be reached or is closing; a batch without ID may or may not have been applied
	Canceled    Kind = 8 // the caller gave up; a batch may or may not have been applied
)

var kindNames = [...]string{"internal error", "conflict", "corrupt", "disk full", "too large", "invalid", "denied", "unavailable", "canceled"}

// String returns the kind's name in words.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Error is what every method of a store fails with.
type Error struct {
	Kind Kind
	Op   string // what was being done, as a gerund phrase: "reading row ev/00ff"
	Err  error  // the cause; may be nil
}

// Error returns the operation, the kind and the cause in one line.
func (e *Error) Error() string {
	if e.Err == nil {
		return e.Op + ": " + e.Kind.String()
	}
	return e.Op + ": " + e.Kind.String() + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of a store's error, Internal for errors of other origin.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}

// Errorf makes an error of the given kind; op is a gerund phrase and the rest formats the cause.
func Errorf(kind Kind, op, format string, args ...any) *Error {
	return &Error{Kind: kind, Op: op, Err: fmt.Errorf(format, args...)}
}
