package administration

import (
	"encoding/json"
	"net/http"
	"strconv"

	"hearth/homeserver/report"
	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/wire"
)

func (a *Administration) reportRoutes(m *wire.Mux) {
	m.Handle("GET /admin/v1/reports", a.getReports)
	m.Handle("GET /admin/v1/reports/{id}", a.getReport)
	m.Handle("DELETE /admin/v1/reports/{id}", a.deleteReport)
}

// Report is what somebody reported: an event of a room, a room, or a user.
type Report struct {
	ID       store.Pos      `json:"id"`
	Time     int64          `json:"time"`
	Reporter matrix.UserID  `json:"reporter"`
	Room     matrix.RoomID  `json:"room,omitempty"`
	Event    matrix.EventID `json:"event,omitempty"`
	User     matrix.UserID  `json:"user,omitempty"`
	Reason   string         `json:"reason"`
}

// Reports is a page of reports.
type Reports struct {
	Reports []Report `json:"reports"`
	Next    string   `json:"next,omitempty"`
	Total   uint64   `json:"total"`
}

// ReportDetails is a report and what it is about, as far as it is known here.
type ReportDetails struct {
	Report
	Known   bool            `json:"known"`
	Sender  matrix.UserID   `json:"sender,omitempty"`  // of the event
	Content json.RawMessage `json:"content,omitempty"` // the whole event as it is now
}

func describeReport(r *report.Report) Report {
	return Report{ID: r.ID, Time: r.Time.UnixMilli(), Reporter: r.Reporter, Room: r.Room, Event: r.Event, User: r.User, Reason: r.Reason}
}

func (a *Administration) getReports(w http.ResponseWriter, r *http.Request) error {
	from, _, limit, err := page(r)
	if err != nil {
		return err
	}
	var below uint64
	if from != "" {
		if below, err = strconv.ParseUint(from, 10, 64); err != nil {
			return matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "from is not what next was")
		}
	}
	out := Reports{Reports: []Report{}}
	if out.Total, err = a.Reports.Count(r.Context()); err != nil {
		return err
	}
	for one, err := range a.Reports.Newest(r.Context(), store.Pos(below)) {
		if err != nil {
			return err
		}
		if len(out.Reports) == limit {
			out.Next = strconv.FormatUint(uint64(out.Reports[limit-1].ID), 10)
			break
		}
		out.Reports = append(out.Reports, describeReport(one))
	}
	return wire.Answer(w, out)
}

func reportID(r *http.Request) (store.Pos, error) {
	id, err := strconv.ParseUint(r.PathValue("id"), 10, 64)
	if err != nil {
		return 0, matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "The id of a report is a number")
	}
	return store.Pos(id), nil
}

func (a *Administration) getReport(w http.ResponseWriter, r *http.Request) error {
	id, err := reportID(r)
	if err != nil {
		return err
	}
	one, err := a.Reports.Report(r.Context(), id)
	if err != nil {
		return err
	}
	if one == nil {
		return matrix.Errorf(http.StatusNotFound, matrix.MNotFound, "There is no report %d", id)
	}
	out := ReportDetails{Report: describeReport(one)}
	switch {
	case one.Event != "":
		e, err := a.Store.EventByID(r.Context(), one.Event)
		if err != nil {
			return err
		}
		if e != nil && e.RoomID == one.Room {
			out.Known, out.Sender, out.Content = true, e.Sender, e.JSON
		}
	case one.Room != "":
		room, err := a.Store.RoomByID(r.Context(), one.Room)
		if err != nil {
			return err
		}
		out.Known = room != nil && !room.Deleted
	default:
		if out.Known, err = a.Accounts.Exists(r.Context(), one.User); err != nil {
			return err
		}
	}
	return wire.Answer(w, out)
}

func (a *Administration) deleteReport(w http.ResponseWriter, r *http.Request) error {
	id, err := reportID(r)
	if err != nil {
		return err
	}
	if err := a.Reports.Delete(r.Context(), id); err != nil {
		return err
	}
	return wire.Empty(w)
}
