package zone

import (
	"errors"
	"fmt"
	"strings"
)

// Problem is something that a zone's owner should know about: an error, with which the zone is not served, or a warning.
type Problem struct {
	Line    int // in the zone file; 0 if it is about the zone as a whole
	Warning bool
	Text    string // a sentence without its full stop
}

func (p Problem) String() string {
	var b strings.Builder
	if p.Line > 0 {
		fmt.Fprintf(&b, "line %d: ", p.Line)
	}
	if p.Warning {
		b.WriteString("warning: ")
	}
	return b.String() + p.Text
}

// Problems is what was found, in the order of the zone file or of names.
type Problems []Problem

// maxProblems bounds how much is reported: who has more starts with these.
const maxProblems = 100

func (ps *Problems) add(p Problem) {
	if len(*ps) < maxProblems || !p.Warning && len(*ps) < 2*maxProblems {
		*ps = append(*ps, p)
	}
}

// Err returns the errors among the problems as one, nil if there is none.
func (ps Problems) Err() error {
	var errs []error
	for _, p := range ps {
		if !p.Warning {
			errs = append(errs, errors.New(p.String()))
		}
	}
	return errors.Join(errs...)
}
