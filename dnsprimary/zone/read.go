package zone

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/miekg/dns"
)

// MaxFile bounds a master file, in bytes.
const MaxFile = 64 << 20

// maxTTL is RFC 2181 §8's.
const maxTTL = 1<<31 - 1

// Read reads a master file (RFC 1035 §5) with $ORIGIN and $TTL (RFC 2308 §4). $INCLUDE is refused, since a zone is one
// text, and $GENERATE. The zone has all records that could be read; it is whole only if the problems have no error, and
// sound only if Check finds none either.
func Read(origin Name, text string) (*Zone, Problems) {
	r := &reader{edit: New(origin).Edit(), zone: origin, origin: origin}
	if len(text) > MaxFile {
		r.problems.add(Problem{Text: fmt.Sprintf("the zone file has more than %d MiB", MaxFile>>20)})
		return r.edit.Zone(), r.problems
	}
	s := scanner{text: text, number: 1}
	for {
		l, wrong, more := s.next()
		if !more {
			return r.edit.Zone(), r.problems
		}
		if wrong == "" {
			wrong = r.line(l)
		}
		if wrong != "" {
			r.problems.add(Problem{Line: l.number, Text: wrong})
		}
	}
}

// reader is what a master file has said so far.
type reader struct {
	edit     *Edit
	problems Problems
	zone     Name
	origin   Name // of relative names
	owner    Name
	ttl      uint32
	hasTTL   bool // ttl is from $TTL, or from the last record
	fixed    bool // ttl is from $TTL
}

// line reads one entry. It returns what is wrong with it, "" if nothing is.
func (r *reader) line(l line) string {
	fields := l.fields
	if !l.indented && strings.HasPrefix(fields[0], "$") {
		return r.directive(fields)
	}
	if l.indented {
		if r.owner == "" {
			return "the line begins with a blank, which stands for the name of the line before, but there is none"
		}
	} else {
		owner, err := r.name(fields[0])
		if err != nil {
			return err.Error()
		}
		if !owner.Under(r.zone) {
			return fmt.Sprintf("%s is not in the zone %s (a name that ends with a dot is complete, one without is below %s)", owner, r.zone, r.origin)
		}
		r.owner = owner
		fields = fields[1:]
	}
	return r.record(l.number, fields)
}

func (r *reader) directive(fields []string) string {
	name := strings.ToUpper(fields[0])
	switch name {
	case "$INCLUDE":
		return "$INCLUDE is refused: a zone is one text; put the other file's lines in its place"
	case "$GENERATE":
		return "$GENERATE is refused: write out the records that it stands for"
	case "$ORIGIN", "$TTL":
	default:
		return fmt.Sprintf("%s is not known; the directives are $ORIGIN and $TTL", clip(fields[0]))
	}
	if len(fields) != 2 {
		return name + " takes one value"
	}
	if name == "$ORIGIN" {
		origin, err := r.name(fields[1])
		if err != nil {
			return err.Error()
		}
		r.origin = origin
		return ""
	}
	ttl, ok := parseTTL(fields[1])
	if !ok {
		return fmt.Sprintf("$TTL %s is not a time: write seconds, or for example 1h30m, at most %d seconds", clip(fields[1]), maxTTL)
	}
	r.ttl, r.hasTTL, r.fixed = ttl, true, true
	return ""
}

// name reads a name that may be relative.
func (r *reader) name(field string) (Name, error) {
	if field == "@" {
		return r.origin, nil
	}
	if dns.IsFqdn(field) {
		return ParseName(field)
	}
	if r.origin == Root {
		return ParseName(field + ".")
	}
	return ParseName(field + "." + r.origin.String())
}

// record reads what follows the owner: TTL and class in any order, type, rdata.
func (r *reader) record(number int, fields []string) string {
	ttl, hasTTL, typ := r.ttl, r.hasTTL, uint16(0)
	for n := 0; ; n++ {
		if len(fields) == 0 {
			return "the line ends before the record's type"
		}
		field := fields[0]
		fields = fields[1:]
		upper := strings.ToUpper(field)
		if upper == "IN" || upper == "CLASS1" {
			continue
		}
		if _, other := dns.StringToClass[upper]; other && upper != "ANY" || strings.HasPrefix(upper, "CLASS") {
			return fmt.Sprintf("class %s is not served, only IN", clip(field))
		}
		if given, ok := parseTTL(field); ok && n < 2 {
			ttl, hasTTL = given, true
			continue
		}
		var ok bool
		if typ, ok = parseType(upper); !ok {
			return fmt.Sprintf("%q is no type of records", clip(field))
		}
		break
	}
	if !hasTTL {
		return "the record has no TTL, and there is none to take over: put a line like \"$TTL 3600\" at the top"
	}
	if !r.fixed {
		r.ttl, r.hasTTL = ttl, true
	}
	return r.add(number, typ, ttl, fields)
}

func parseType(upper string) (uint16, bool) {
	if typ, ok := dns.StringToType[upper]; ok {
		return typ, true
	}
	number, ok := strings.CutPrefix(upper, "TYPE")
	typ, err := strconv.ParseUint(number, 10, 16)
	return uint16(typ), ok && err == nil
}

// parseTTL reads seconds, or numbers with the units w, d, h, m and s.
func parseTTL(field string) (seconds uint32, ok bool) {
	sum, number, digits := uint64(0), uint64(0), 0
	for i := range len(field) {
		c := field[i] | 0x20
		if '0' <= field[i] && field[i] <= '9' {
			number = number*10 + uint64(field[i]-'0')
			if digits++; digits > 10 {
				return 0, false
			}
			continue
		}
		unit := map[byte]uint64{'w': 7 * 86400, 'd': 86400, 'h': 3600, 'm': 60, 's': 1}[c]
		if unit == 0 || digits == 0 {
			return 0, false
		}
		sum, number, digits = sum+number*unit, 0, 0
	}
	sum += number
	return uint32(sum), field != "" && (digits > 0 || field[len(field)-1] > '9') && sum <= maxTTL
}

// add parses the rdata and puts the record into the zone.
func (r *reader) add(number int, typ uint16, ttl uint32, fields []string) string {
	if !Storable(typ) {
		return fmt.Sprintf("%s is not a type of records that a zone can have", TypeName(typ))
	}
	record, err := r.parse(typ, ttl, fields)
	if err != nil {
		return err.Error()
	}
	old := findKind(r.edit.Sets(record.Owner), typ, covers(typ, record.Rdata))
	if !old.Empty() && old.TTL != ttl {
		record.TTL = min(old.TTL, ttl)
		r.problems.add(Problem{number, true, fmt.Sprintf("the %s records of %s have different TTLs, %d and %d: all get the shorter one", TypeName(typ), r.owner, old.TTL, ttl)})
	}
	changed, err := r.edit.Add(record)
	switch {
	case err != nil:
		return err.Error()
	case !changed && old.Has(record.Rdata):
		r.problems.add(Problem{number, true, fmt.Sprintf("the same %s record of %s is there twice", TypeName(typ), r.owner)})
	}
	return ""
}

// parse reads a record by its fields.
func (r *reader) parse(typ uint16, ttl uint32, fields []string) (Record, error) {
	if rdata, ok := r.quickRdata(typ, fields); ok {
		return Record{r.owner, typ, ttl, rdata}, nil
	}
	rr, err := parseRdata(r.owner, r.origin, ttl, typ, fields)
	if err != nil {
		return Record{}, fmt.Errorf("the %s record of %s cannot be read: %w%s", TypeName(typ), r.owner, err, form(typ))
	}
	return FromRR(rr)
}

// parseRdata has the message library read the fields of an rdata.
func parseRdata(owner, origin Name, ttl uint32, typ uint16, fields []string) (dns.RR, error) {
	text := owner.written() + " " + strconv.FormatUint(uint64(ttl), 10) + " IN " + TypeName(typ) + " "
	for _, field := range fields {
		text += respelt(field) + " "
	}
	text += "\n"
	p := dns.NewZoneParser(strings.NewReader(text), origin.String(), "")
	rr, ok := p.Next()
	if err := p.Err(); err != nil {
		return nil, errors.New(plain(err))
	}
	if !ok {
		return nil, errors.New("it says nothing")
	}
	return rr, nil
}

// respelt writes as numbers the escaped characters with which the message library ends a field too early or too late.
func respelt(field string) string {
	if strings.IndexByte(field, '\\') < 0 || strings.Contains(field, `="`) || field[0] == '"' {
		return field
	}
	var b strings.Builder
	for i := 0; i < len(field); i++ {
		if field[i] == '\\' && i+1 < len(field) {
			if i++; strings.IndexByte("();\" \t", field[i]) >= 0 {
				fmt.Fprintf(&b, `\%03d`, field[i])
				continue
			}
			b.WriteByte('\\')
		}
		b.WriteByte(field[i])
	}
	return b.String()
}

// plain takes away what the message library says about where an error is: it saw one line only.
func plain(err error) string {
	text := strings.TrimPrefix(err.Error(), "dns: ")
	if at := strings.LastIndex(text, " at line: "); at >= 0 {
		text = text[:at]
	}
	return strings.TrimSuffix(clip(text), `: ""`)
}

// form says how a record of one of the usual types is written.
func form(typ uint16) string {
	forms := map[uint16]string{
		dns.TypeA:     "A 192.0.2.1",
		dns.TypeAAAA:  "AAAA 2001:db8::1",
		dns.TypeCAA:   `CAA 0 issue "letsencrypt.org"`,
		dns.TypeCNAME: "CNAME www.example.org.",
		dns.TypeHTTPS: "HTTPS 1 . alpn=h2,h3",
		dns.TypeMX:    "MX 10 mail.example.org.",
		dns.TypeNS:    "NS ns1.example.org.",
		dns.TypeSOA:   "SOA ns1.example.org. hostmaster.example.org. 1 3600 900 1209600 300",
		dns.TypeSRV:   "SRV 10 5 443 server.example.org.",
		dns.TypeSSHFP: "SSHFP 4 2 HASH",
		dns.TypeTLSA:  "TLSA 3 1 1 HASH",
		dns.TypeTXT:   `TXT "some text"`,
	}
	if forms[typ] == "" {
		return ""
	}
	return "; it is written like " + forms[typ]
}
