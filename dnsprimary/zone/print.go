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
	return strings.TrimSuffix((owner[:len(owner)-len(z.origin)] + Root).written(), ".")
}

// written writes a name so that all who read master files agree on it: what is no letter or digit, nor one of -_*, as a
// number. RFC 1035 §5.1 has no need for that, but others stumble over $, {, [ and more.
func (n Name) written() string {
	if n.plain() {
		return n.String()
	}
	var b strings.Builder
	for at := 0; n[at] != 0; at += 1 + int(n[at]) {
		for _, c := range []byte(n[at+1 : at+1+int(n[at])]) {
			if plainByte(c) {
				b.WriteByte(c)
			} else {
				fmt.Fprintf(&b, `\%03d`, c)
			}
		}
		b.WriteByte('.')
	}
	return b.String()
}

// plain reports whether nobody disagrees on how the name is written.
func (n Name) plain() bool {
	for at := 0; at < len(n); at += 1 + int(n[at]) {
		for _, c := range []byte(n[at+1 : min(at+1+int(n[at]), len(n))]) {
			if !plainByte(c) {
				return false
			}
		}
	}
	return true
}

func plainByte(c byte) bool {
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '*' || 'A' <= c && c <= 'Z'
}

// plainNames reports whether all names in an rdata are plain.
func plainNames(typ uint16, rdata string) bool {
	begin, end, _ := Names(typ, rdata)
	if typ == dns.TypeNSEC {
		end = nameLength(rdata)
	}
	return Name(rdata[begin:end]).plain()
}

// String writes the record as a line of a master file, with its whole owner.
func (r Record) String() string {
	return fmt.Sprintf("%s\t%d\tIN\t%s\t%s", r.Owner.written(), r.TTL, TypeName(r.Type), r.text())
}

// text writes the rdata. If the type's own form would not be read as the same bytes by all, it is the form of RFC 3597 §5.
func (r Record) text() string {
	if text, ok := quickText(r.Type, r.Rdata); ok {
		return text
	}
	if rr, err := r.RR(); err == nil && plainNames(r.Type, r.Rdata) {
		text := strings.TrimPrefix(rr.String(), rr.Header().String())
		if again, err := parseRdata(r.Owner, Root, r.TTL, r.Type, []string{text}); err == nil {
			if s, err := FromRR(again); err == nil && s.Rdata == r.Rdata && !strings.ContainsAny(text, "\n\r") {
				return text
			}
		}
	}
	return strings.TrimSpace(fmt.Sprintf(`\# %d %s`, len(r.Rdata), hex.EncodeToString([]byte(r.Rdata))))
}
