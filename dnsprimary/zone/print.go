package zone

import (
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"github.com/miekg/dns"
)

// Print writes the zone as a master file, in canonical order with the SOA first. Read makes the same zone of it.
func (z *Zone) Print(w io.Writer) error {
	if _, err := fmt.Fprintf(w, "$ORIGIN %s\n", z.origin); err != nil {
		return err
	}
	if err := z.printSet(w, z.origin, z.SOA()); err != nil {
		return err
	}
	for owner, sets := range z.All() {
		for _, s := range sets {
			if s.Type == dns.TypeSOA && owner == z.origin {
				continue
			}
			if err := z.printSet(w, owner, s); err != nil {
				return err
			}
		}
	}
	return nil
}

func (z *Zone) printSet(w io.Writer, owner Name, s RRset) error {
	for rdata := range s.All() {
		r := Record{owner, s.Type, s.TTL, rdata}
		if _, err := fmt.Fprintf(w, "%s\t%d\tIN\t%s\t%s\n", z.relative(owner), r.TTL, TypeName(r.Type), r.text()); err != nil {
			return err
		}
	}
	return nil
}

// relative writes an owner without the origin.
func (z *Zone) relative(owner Name) string {
	if owner == z.origin {
		return "@"
	}
	short := strings.TrimSuffix((owner[:len(owner)-len(z.origin)] + Root).String(), ".")
	if short == "@" || strings.HasPrefix(short, "$") { // the origin, a directive (RFC 1035 §5.1)
		return `\` + short
	}
	return short
}

// String writes the record as a line of a master file, with its whole owner.
func (r Record) String() string {
	return fmt.Sprintf("%s\t%d\tIN\t%s\t%s", r.Owner, r.TTL, TypeName(r.Type), r.text())
}

// text writes the rdata. If the type's own form would not be read as the same bytes, it is the form of RFC 3597 §5.
func (r Record) text() string {
	if text, ok := quickText(r.Type, r.Rdata); ok {
		return text
	}
	if rr, err := r.RR(); err == nil {
		text := strings.TrimPrefix(rr.String(), rr.Header().String())
		if again, err := parseRdata(r.Owner, Root, r.TTL, r.Type, []string{text}); err == nil {
			if s, err := FromRR(again); err == nil && s.Rdata == r.Rdata && !strings.ContainsAny(text, "\n\r") {
				return text
			}
		}
	}
	return strings.TrimSpace(fmt.Sprintf(`\# %d %s`, len(r.Rdata), hex.EncodeToString([]byte(r.Rdata))))
}
