// Package report keeps what users report to the administrators: events, rooms and other users.
//
// # Tables
//
// Integers in keys are 8 bytes, big-endian; a string is its length as an unsigned varint and its bytes; a time is
// milliseconds since 1970 as a signed varint. A report's id is its position in the log.
//
//	report   0x00, id                     when (time), reporter, room id, event id, user id, reason (strings)
//	report   0x01, reporter, 0x00, id     nothing: the reports of one user
//	report   0x02                         how many reports there are (unsigned varint)
//
// What a report is not about is "". The report that @a:x made one second after 1970 of the room !r:x, because it is
// "bad":
//
//	d0 0f 04 40 61 3a 78 04 21 72 3a 78 00 00 03 62 61 64
//
// A report is kept also if the room or the user it is about is not known here: a server that tells which are would
// answer who asks for it. So a report says what its reporter says, and no more.
package report

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"time"

	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/storage/blob"
)

const tableReports = "report"

// The kinds of rows.
const (
	rowReport byte = iota
	rowOfUser
	rowCount
)

// The limits of reports: the bytes of a reason, how many one user may have waiting for an administrator, and how many
// all together.
const (
	MaxReason = 4 << 10
	MaxOfUser = 100
	MaxAll    = 10_000
)

// Report is one report. Exactly one of Event (with Room), Room alone and User is what it is about.
type Report struct {
	ID       store.Pos
	Time     time.Time
	Reporter matrix.UserID
	Room     matrix.RoomID
	Event    matrix.EventID
	User     matrix.UserID
	Reason   string
}

// Reports keeps the reports of one server.
type Reports struct {
	store *store.Store
	now   func() time.Time
	turn  chan struct{} // capacity 1; full while somebody counts and writes
}

// New returns the reports that s keeps.
func New(s *store.Store, now func() time.Time) *Reports {
	return &Reports{store: s, now: now, turn: make(chan struct{}, 1)}
}

func appendReport(dst []byte, r *Report) []byte {
	dst = binary.AppendVarint(dst, r.Time.UnixMilli())
	for _, s := range []string{string(r.Reporter), string(r.Room), string(r.Event), string(r.User), r.Reason} {
		dst = append(binary.AppendUvarint(dst, uint64(len(s))), s...)
	}
	return dst
}

var errMalformed = errors.New("malformed record")

func readReport(id store.Pos, data []byte) (*Report, error) {
	millis, n := binary.Varint(data)
	if n <= 0 {
		return nil, fmt.Errorf("reading report %d: %w", id, errMalformed)
	}
	data = data[n:]
	var parts [5]string
	for i := range parts {
		size, n := binary.Uvarint(data)
		if n <= 0 || size > uint64(len(data)-n) {
			return nil, fmt.Errorf("reading report %d: %w", id, errMalformed)
		}
		end := n + int(size)
		parts[i], data = string(data[n:end]), data[end:]
	}
	if len(data) > 0 {
		return nil, fmt.Errorf("reading report %d: %w", id, errMalformed)
	}
	return &Report{
		ID: id, Time: time.UnixMilli(millis), Reporter: matrix.UserID(parts[0]), Room: matrix.RoomID(parts[1]),
		Event: matrix.EventID(parts[2]), User: matrix.UserID(parts[3]), Reason: parts[4],
	}, nil
}

func reportKey(id store.Pos) []byte {
	return binary.BigEndian.AppendUint64([]byte{rowReport}, uint64(id))
}

func userPrefix(user matrix.UserID) []byte {
	return append(append([]byte{rowOfUser}, user...), 0)
}

// begin waits for the right to write. The caller calls end when its change is durable.
func (r *Reports) begin(ctx context.Context) (end func(), err error) {
	select {
	case r.turn <- struct{}{}:
		return func() { <-r.turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Add keeps a report, whose id and time it sets, and returns once it is durable.
//
// Errors: M_TOO_LARGE (413) for the reason; M_LIMIT_EXCEEDED (429) while too many wait for an administrator.
func (r *Reports) Add(ctx context.Context, report Report) (store.Pos, error) {
	if len(report.Reason) > MaxReason {
		return 0, matrix.Errorf(http.StatusRequestEntityTooLarge, matrix.MTooLarge, "A reason has at most %d bytes", MaxReason)
	}
	end, err := r.begin(ctx)
	if err != nil {
		return 0, err
	}
	defer end()
	all, err := r.mayAdd(ctx, report.Reporter)
	if err != nil {
		return 0, err
	}
	report.Time = r.now()
	err = r.apply(ctx, func(tx *store.Tx) {
		report.ID = tx.Note(store.Note{Kind: store.KindOther})
		tx.Set(tableReports, reportKey(report.ID), appendReport(nil, &report))
		tx.Set(tableReports, binary.BigEndian.AppendUint64(userPrefix(report.Reporter), uint64(report.ID)), []byte{})
		tx.Set(tableReports, []byte{rowCount}, binary.AppendUvarint(nil, all+1))
	})
	return report.ID, err
}

// apply writes a change. Once it is queued it waits for the outcome even if ctx ends, so that nobody counts what is on
// its way.
func (r *Reports) apply(ctx context.Context, write func(*store.Tx)) error {
	t, err := r.store.Append(ctx, write)
	if err == nil {
		err = t.Wait(context.WithoutCancel(ctx))
	}
	if err != nil {
		return fmt.Errorf("writing a report: %w", err)
	}
	return nil
}

// mayAdd returns how many reports there are, unless there are too many for one more.
func (r *Reports) mayAdd(ctx context.Context, reporter matrix.UserID) (uint64, error) {
	all, err := r.Count(ctx)
	if err != nil {
		return 0, err
	}
	own := 0
	q := blob.Prefix(tableReports, userPrefix(reporter))
	q.Limit = MaxOfUser
	for _, err := range r.store.Scan(ctx, q) {
		if err != nil {
			return 0, fmt.Errorf("counting reports: %w", err)
		}
		own++
	}
	if own >= MaxOfUser || all >= MaxAll {
		// An administrator has to look at them first; a client may try again tomorrow.
		return 0, matrix.Errorf(http.StatusTooManyRequests, matrix.MLimitExceeded, "Too many reports wait for an administrator").
			With("retry_after_ms", (24 * time.Hour).Milliseconds())
	}
	return all, nil
}

// Count returns how many reports there are.
func (r *Reports) Count(ctx context.Context) (uint64, error) {
	row, err := r.store.Row(ctx, tableReports, []byte{rowCount})
	if err != nil {
		return 0, fmt.Errorf("counting reports: %w", err)
	}
	n, _ := binary.Uvarint(row)
	return n, nil
}

// Newest yields reports from the newest to the oldest, those below an id unless that is 0.
func (r *Reports) Newest(ctx context.Context, below store.Pos) iter.Seq2[*Report, error] {
	return func(yield func(*Report, error) bool) {
		q := blob.Range{Table: tableReports, From: []byte{rowReport}, To: []byte{rowOfUser}, Reverse: true}
		if below != 0 {
			q.To = reportKey(below)
		}
		for row, err := range r.store.Scan(ctx, q) {
			if err == nil && len(row.Key) != 9 {
				err = errMalformed
			}
			if err != nil {
				yield(nil, fmt.Errorf("reading reports: %w", err))
				return
			}
			one, err := readReport(store.Pos(binary.BigEndian.Uint64(row.Key[1:])), row.Value)
			if !yield(one, err) || err != nil {
				return
			}
		}
	}
}

// Report returns a report, nil if there is none of that id.
func (r *Reports) Report(ctx context.Context, id store.Pos) (*Report, error) {
	row, err := r.store.Row(ctx, tableReports, reportKey(id))
	if err != nil {
		return nil, fmt.Errorf("reading report %d: %w", id, err)
	}
	if row == nil {
		return nil, nil
	}
	return readReport(id, row)
}

// Delete removes a report that was dealt with. Error: M_NOT_FOUND (404).
func (r *Reports) Delete(ctx context.Context, id store.Pos) error {
	end, err := r.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	report, err := r.Report(ctx, id)
	if err != nil {
		return err
	}
	if report == nil {
		return matrix.Errorf(http.StatusNotFound, matrix.MNotFound, "There is no report %d", id)
	}
	all, err := r.Count(ctx)
	if err != nil {
		return err
	}
	return r.apply(ctx, func(tx *store.Tx) {
		tx.Delete(tableReports, reportKey(id))
		tx.Delete(tableReports, binary.BigEndian.AppendUint64(userPrefix(report.Reporter), uint64(id)))
		tx.Set(tableReports, []byte{rowCount}, binary.AppendUvarint(nil, max(all, 1)-1))
	})
}
