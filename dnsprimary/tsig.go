package main

import (
	"encoding/base64"
	"fmt"
	"os"
	"strings"

	"hearth/dnsprimary/primary"
	"hearth/dnsprimary/zone"

	"github.com/miekg/dns"
)

// A key's file has its name, algorithm and secret on the first line, and below it a right on each. A comment begins with #.
//
//	laptop hmac-sha256 VGhpcyBpcyBub3QgYSBnb29kIHNlY3JldCBhdCBhbGw=
//	transfer example.org                           # may fetch the zone
//	update example.org home.example.org            # may change this name and what is below it
//	update example.org =www.example.org A AAAA     # may change these types of this name alone

// readKey reads a key and its rights.
func readKey(file string) (*primary.Key, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var k *primary.Key
	number := 0
	for line := range strings.Lines(string(data)) {
		number++
		line, _, _ = strings.Cut(line, "#")
		f := strings.Fields(line)
		switch {
		case len(f) == 0:
		case k == nil:
			k, err = parseKey(f)
		default:
			var g primary.Grant
			if g, err = parseGrant(f); err == nil {
				k.Grants = append(k.Grants, g)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, number, err)
		}
	}
	if k == nil {
		return nil, fmt.Errorf("%s holds no key", file)
	}
	return k, nil
}

func parseKey(f []string) (*primary.Key, error) {
	if len(f) != 3 {
		return nil, fmt.Errorf("want the key's name, algorithm and secret in Base64")
	}
	name, err := zone.ParseName(f[0])
	if err != nil {
		return nil, err
	}
	algorithm, err := zone.ParseName(strings.ToLower(f[1]))
	if err != nil {
		return nil, err
	}
	secret, err := base64.StdEncoding.DecodeString(f[2])
	if err != nil {
		return nil, fmt.Errorf("the secret is not Base64")
	}
	return &primary.Key{Name: name, Algorithm: algorithm, Secret: secret}, nil
}

func parseGrant(f []string) (g primary.Grant, err error) {
	if len(f) < 2 {
		return g, fmt.Errorf("want transfer ZONE, or update ZONE NAME [TYPE...]")
	}
	if g.Zone, err = zone.ParseName(f[1]); err != nil {
		return g, err
	}
	switch {
	case f[0] == "transfer" && len(f) == 2:
		g.Transfer = true
		return g, nil
	case f[0] != "update" || len(f) < 3:
		return g, fmt.Errorf("want transfer ZONE, or update ZONE NAME [TYPE...], not %q", strings.Join(f, " "))
	}
	g.Update = true
	name, exact := strings.CutPrefix(f[2], "=")
	g.Exact = exact
	if g.Name, err = zone.ParseName(name); err != nil {
		return g, err
	}
	for _, text := range f[3:] {
		typ, ok := dns.StringToType[strings.ToUpper(text)]
		if !ok {
			return g, fmt.Errorf("%q is no type of records", text)
		}
		g.Types = append(g.Types, typ)
	}
	return g, nil
}

// localKey reads the key of this box's programs and gives it its rights.
func (s *Settings) localKey(zones []zone.Name) (*primary.Key, error) {
	k, err := readKey(s.LocalKeyFile)
	if err != nil {
		return nil, err
	}
	names := s.ACMENames
	if len(names) == 0 {
		names = append(append(names, s.Hosts...), s.Zones...)
	}
	k.Grants = nil
	for _, text := range names {
		name, origin, err := hostName(text, zones)
		if err != nil {
			return nil, err
		}
		challenge, err := zone.ParseName("_acme-challenge." + name.String())
		if err != nil {
			return nil, err
		}
		k.Grants = append(k.Grants, primary.Grant{Zone: origin, Update: true, Name: challenge, Exact: true, Types: []uint16{dns.TypeTXT}})
	}
	return k, nil
}
