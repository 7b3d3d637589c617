package zone

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/miekg/dns"
)

// The message library reads and writes all types, but takes so long for a record that a board would need
// half a minute for a zone of 100,000 names. Most records of most zones are addresses, names, and names behind numbers;
// those are read and written here. What looks unusual is left to the library, and so are errors.

// numbersBefore returns how many 16-bit numbers stand before the one name that is all else of an rdata; ok is false for
// types that are not like that.
func numbersBefore(typ uint16) (numbers int, ok bool) {
	switch typ {
	case dns.TypeNS, dns.TypeCNAME, dns.TypePTR, dns.TypeDNAME:
		return 0, true
	case dns.TypeMX:
		return 1, true
	case dns.TypeSRV:
		return 3, true
	}
	return 0, false
}

// quickRdata reads the fields of an rdata of one of the usual types.
func (r *reader) quickRdata(typ uint16, fields []string) (rdata string, ok bool) {
	for _, field := range fields {
		if strings.ContainsAny(field, `"\`) {
			return "", false
		}
	}
	if typ == dns.TypeA || typ == dns.TypeAAAA {
		if len(fields) != 1 {
			return "", false
		}
		address, err := netip.ParseAddr(fields[0])
		return string(address.AsSlice()), err == nil && address.Zone() == "" && address.Is4() == (typ == dns.TypeA)
	}
	numbers, ok := numbersBefore(typ)
	if !ok || len(fields) != numbers+1 {
		return "", false
	}
	var buf []byte
	for _, field := range fields[:numbers] {
		n, err := strconv.ParseUint(field, 10, 16)
		if err != nil {
			return "", false
		}
		buf = binary.BigEndian.AppendUint16(buf, uint16(n))
	}
	name, err := r.name(fields[numbers])
	return string(append(buf, name...)), err == nil
}

// quickText writes an rdata as quickRdata reads it.
func quickText(typ uint16, rdata string) (text string, ok bool) {
	switch {
	case typ == dns.TypeA && len(rdata) == 4, typ == dns.TypeAAAA && len(rdata) == 16:
		address, _ := netip.AddrFromSlice([]byte(rdata))
		return address.String(), true
	}
	numbers, ok := numbersBefore(typ)
	if !ok || len(rdata) <= 2*numbers {
		return "", false
	}
	for range numbers {
		text += fmt.Sprint(binary.BigEndian.Uint16([]byte(rdata)), " ")
		rdata = rdata[2:]
	}
	if nameLength(rdata) != len(rdata) {
		return "", false
	}
	return text + Name(rdata).written(), true
}
