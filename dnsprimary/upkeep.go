package main

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"hearth/dnsprimary/zone"
	"hearth/settings"

	"github.com/miekg/dns"
)

// upkeep is what this program puts into zones by itself: SOA, NS, addresses, where Matrix is, and who may certify. What
// the owner has put at the same name and type is never touched.
type upkeep struct {
	nameservers []zone.Name
	hostmaster  string
	hosts       map[zone.Name][]zone.Name // by zone
	fixed       []netip.Addr
	auto        bool
	matrix      zone.Name
	matrixZone  zone.Name
	port        uint16
	caa         []string
}

// The TTLs of what the upkeep makes, in seconds. Addresses may change at any time.
const (
	ttlAddress = 300
	ttlRecord  = 3600
)

// upkeep reads the settings that it follows.
func (s *Settings) upkeep(zones []zone.Name) (upkeep, error) {
	u := upkeep{hostmaster: s.Hostmaster, hosts: make(map[zone.Name][]zone.Name), caa: s.CAA}
	for _, text := range s.Nameservers {
		n, err := zone.ParseName(text)
		if err != nil {
			return u, settings.Invalid("nameservers", "%w", err)
		}
		u.nameservers = append(u.nameservers, n)
	}
	for _, text := range s.Hosts {
		n, origin, err := hostName(text, zones)
		if err != nil {
			return u, settings.Invalid("hosts", "%w", err)
		}
		u.hosts[origin] = append(u.hosts[origin], n)
	}
	for _, text := range s.Addresses {
		if text == "auto" {
			u.auto = true
			continue
		}
		a, err := netip.ParseAddr(text)
		if err != nil {
			return u, settings.Invalid("addresses", "%q is neither an address nor auto", text)
		}
		u.fixed = append(u.fixed, a)
	}
	if s.Matrix == "" {
		return u, nil
	}
	host, port, err := net.SplitHostPort(s.Matrix)
	if err != nil {
		return u, settings.Invalid("matrix", "%q is not name:port", s.Matrix)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return u, settings.Invalid("matrix", "%q is no port", port)
	}
	u.port = uint16(number)
	if u.matrix, u.matrixZone, err = hostName(host, zones); err != nil {
		return u, settings.Invalid("matrix", "%w", err)
	}
	return u, nil
}

// addresses returns this box's addresses.
func (u *upkeep) addresses() ([]netip.Addr, error) {
	all := slices.Clone(u.fixed)
	if !u.auto {
		return all, nil
	}
	found, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("looking for this box's addresses: %w", err)
	}
	for _, f := range found {
		network, ok := f.(*net.IPNet)
		if !ok {
			continue
		}
		a, ok := netip.AddrFromSlice(network.IP)
		if a = a.Unmap(); ok && a.IsGlobalUnicast() && !a.IsPrivate() && !slices.Contains(all, a) {
			all = append(all, a)
		}
	}
	slices.SortFunc(all, netip.Addr.Compare)
	return all, nil
}

// records returns what the upkeep wants in a zone.
func (u *upkeep) records(origin zone.Name, addresses []netip.Addr) []zone.Record {
	var all []zone.Record
	add := func(owner zone.Name, typ uint16, ttl uint32, rdata string) {
		all = append(all, zone.Record{Owner: owner, Type: typ, TTL: ttl, Rdata: rdata})
	}
	for _, ns := range u.nameservers {
		add(origin, dns.TypeNS, ttlRecord, string(ns))
	}
	for _, host := range u.hosts[origin] {
		for _, a := range addresses {
			typ := dns.TypeAAAA
			if a.Is4() {
				typ = dns.TypeA
			}
			add(host, typ, ttlAddress, string(a.AsSlice()))
		}
	}
	if u.matrixZone == origin {
		// The Server-Server API's "resolving server names": 4, and for older servers 5.
		for _, service := range []string{"_matrix-fed._tcp.", "_matrix._tcp."} {
			owner, err := zone.ParseName(service + origin.String())
			if err != nil {
				continue // longer than a name can be
			}
			rdata := binary.BigEndian.AppendUint16([]byte{0, 10, 0, 0}, u.port)
			add(owner, dns.TypeSRV, ttlRecord, string(rdata)+string(u.matrix))
		}
	}
	for _, authority := range u.caa {
		add(origin, dns.TypeCAA, ttlRecord, "\x00\x05issue"+authority)
	}
	return all
}

// soa returns the SOA of a zone that has none.
func (u *upkeep) soa(origin zone.Name, serial uint32) (zone.Record, error) {
	first := origin
	if len(u.nameservers) > 0 {
		first = u.nameservers[0]
	}
	mailbox := "hostmaster." + origin.String()
	if local, domain, ok := strings.Cut(u.hostmaster, "@"); ok {
		mailbox = strings.ReplaceAll(local, ".", `\.`) + "." + domain
	}
	name, err := zone.ParseName(mailbox)
	if err != nil {
		return zone.Record{}, fmt.Errorf("the hostmaster %q is no mail address: %w", u.hostmaster, err)
	}
	rdata := []byte(string(first) + string(name))
	for _, n := range []uint32{serial, 7200, 900, 1209600, 300} {
		rdata = binary.BigEndian.AppendUint32(rdata, n)
	}
	return zone.Record{Owner: origin, Type: dns.TypeSOA, TTL: ttlRecord, Rdata: string(rdata)}, nil
}

// follow changes a zone from what the upkeep wanted before (own) to what it wants now, and returns what it has made
// then. Of each name and type either all records are the upkeep's, or none.
func follow(e *zone.Edit, own *zone.Zone, wanted []zone.Record) (*zone.Zone, error) {
	type kind struct {
		owner zone.Name
		typ   uint16
	}
	sets := make(map[kind]zone.RRset)
	for _, r := range wanted {
		k := kind{r.Owner, r.Type}
		old := sets[k]
		rdatas := slices.AppendSeq([]string{r.Rdata}, old.All())
		sets[k] = zone.NewRRset(r.Type, r.TTL, rdatas...)
	}
	next := own.Edit()
	for owner, made := range own.All() { // what we made and want no more, unless somebody has changed it since
		for _, set := range made {
			if _, still := sets[kind{owner, set.Type}]; still {
				continue
			}
			if e.Set(owner, set.Type) == set {
				e.RemoveSets(owner, set.Type)
			}
			next.RemoveSets(owner, set.Type)
		}
	}
	for k, set := range sets {
		present := e.Set(k.owner, k.typ)
		if !present.Empty() && present != own.Set(k.owner, k.typ) {
			next.RemoveSets(k.owner, k.typ) // the owner's
			continue
		}
		if err := e.Replace(k.owner, set); err != nil {
			return nil, err
		}
		if err := next.Replace(k.owner, set); err != nil {
			return nil, err
		}
	}
	return next.Zone(), nil
}
