package main

import (
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"time"

	"hearth/dnsprimary/dnssec"
	"hearth/dnsprimary/primary"
	"hearth/dnsprimary/resolver"
	"hearth/dnsprimary/zone"
	"hearth/settings"
)

// Settings are the program's settings; their docs are the manual.
type Settings struct {
	Listen        []string `toml:"listen" doc:"Addresses, host:port, of DNS over UDP and TCP. On a box :53."`
	ListenTLS     []string `toml:"listen_tls" doc:"Addresses of DNS over TLS. On a box :853."`
	ListenQUIC    []string `toml:"listen_quic" doc:"Addresses of DNS over QUIC. On a box :853."`
	Socket        string   `toml:"socket" doc:"Path of the unix socket of DNS, for this box's other programs; empty for none."`
	AdminSocket   string   `toml:"admin_socket" doc:"Path of the unix socket for health, metrics and this program's commands; empty for none."`
	StorageSocket string   `toml:"storage_socket" doc:"Path of the storage program's unix socket."`

	Zones  []string `toml:"zones" doc:"The zones, such as example.org. What is in them is changed by dnsprimary load and by dynamic update."`
	Keys   []string `toml:"keys" doc:"Paths of files, each with a TSIG key: its name, algorithm and secret in Base64 on the first line, and below it a right on each, transfer ZONE or update ZONE NAME [TYPE...], where NAME includes what is below it and =NAME does not."`
	Notify []string `toml:"notify" doc:"The secondaries, each as ZONE ADDRESS:PORT or ZONE ADDRESS:PORT KEY, of which KEY signs the message."`
	Serial string   `toml:"serial" doc:"What a changed zone's serial number is: increment, unixtime or date."`

	Nameservers []string      `toml:"nameservers" doc:"Names of the name servers of all zones, for their NS records: those of the secondaries, and this box's if it is no hidden primary."`
	Hostmaster  string        `toml:"hostmaster" doc:"Mail address of who cares for the zones, for their SOA; hostmaster@ZONE if empty."`
	Hosts       []string      `toml:"hosts" doc:"Names whose A and AAAA records are this box's addresses; @ZONE is the zone itself."`
	Addresses   []string      `toml:"addresses" doc:"This box's addresses; auto stands for the public ones of its network interfaces."`
	Matrix      string        `toml:"matrix" doc:"Name and port at which other Matrix servers reach this box, as matrix.example.org:8448, for SRV records; empty for none."`
	CAA         []string      `toml:"caa" doc:"Certificate authorities that may give certificates for the zones, such as letsencrypt.org; without any everybody may."`
	AddressPoll time.Duration `toml:"address_poll" doc:"How often the interfaces are looked at for new addresses."`

	LocalKeyFile string   `toml:"local_key_file" doc:"Path of a file with the TSIG key (name, algorithm, secret) by which this box's programs prove names to certificate authorities; it may set _acme-challenge records and nothing else."`
	ACMENames    []string `toml:"acme_names" doc:"The names that they prove; hosts and the zones if none is given."`

	Sign    SignSettings `toml:"dnssec"`
	TLS     TLSSettings  `toml:"tls"`
	Version string       `toml:"version" doc:"What version.bind says; empty refuses the question."`
	NSID    string       `toml:"nsid" doc:"Name of this server, told to who asks for it (RFC 5001); empty for none."`

	RateLimits      bool          `toml:"rate_limits" doc:"Limit equal answers to one network over UDP, so that nobody is flooded by forged questions."`
	ShutdownTimeout time.Duration `toml:"shutdown_timeout" doc:"How long the end may take."`

	MemoryLimit settings.Bytes `toml:"memory_limit" doc:"Memory that the program tries to stay within."`
	LogLevel    slog.Level     `toml:"log_level" doc:"The least level of what is logged: DEBUG, INFO, WARN or ERROR. INFO tells of transfers and updates that are refused."`
}

// SignSettings say how zones are signed.
type SignSettings struct {
	Sign              bool          `toml:"sign" doc:"Sign the zones. The registrar must be told of the keys (dnsprimary ds) unless it looks for CDS records."`
	Algorithm         string        `toml:"algorithm" doc:"Algorithm of a zone's first keys: ECDSAP256SHA256 or ED25519. Their successors have the same."`
	Split             bool          `toml:"split" doc:"A key that signs keys and one that signs the rest, instead of one for both, when a zone gets its first keys."`
	NSEC3             bool          `toml:"nsec3" doc:"Deny names by hashes, so that the zone's names cannot be listed by walking it."`
	Withdraw          bool          `toml:"withdraw" doc:"Ask the parent by CDS to remove the DS, before sign is turned off."`
	Validity          time.Duration `toml:"validity" doc:"How long a signature is valid."`
	Refresh           time.Duration `toml:"refresh" doc:"How long before its end a signature is made anew."`
	ZoneKeyLife       time.Duration `toml:"zone_key_life" doc:"How long a key that signs the zone is used, if it is split; less than 0s is for ever."`
	KeyLife           time.Duration `toml:"key_life" doc:"How long a key that the parent knows is used; less than 0s is until dnsprimary keys ZONE roll."`
	KeyTTL            time.Duration `toml:"key_ttl" doc:"TTL of the keys' own records."`
	Propagation       time.Duration `toml:"propagation" doc:"How long the slowest secondary takes to have a new version."`
	ParentTTL         time.Duration `toml:"parent_ttl" doc:"TTL of the DS records in the parent zone."`
	ParentPropagation time.Duration `toml:"parent_propagation" doc:"How long the slowest server of the parent zone takes to have a new DS."`
	Resolvers         []string      `toml:"resolvers" doc:"Addresses, as 192.0.2.53:53, of resolvers that are asked whether the parent has the DS; without any the owner says so: dnsprimary keys ZONE confirm TAG."`
}

func defaultSettings() Settings {
	const day = 24 * time.Hour
	return Settings{
		Listen: []string{"127.0.0.1:8053"}, StorageSocket: "storage.sock", Serial: "unixtime",
		Addresses: []string{"auto"}, AddressPoll: 30 * time.Second, RateLimits: true, ShutdownTimeout: 5 * time.Second,
		Sign: SignSettings{
			Algorithm: "ECDSAP256SHA256", Split: true, Validity: 14 * day, Refresh: 5 * day, ZoneKeyLife: 90 * day, KeyLife: -1,
			KeyTTL: time.Hour, Propagation: time.Hour, ParentTTL: day, ParentPropagation: time.Hour,
		},
		MemoryLimit: 32 << 20, LogLevel: slog.LevelWarn,
	}
}

// config is what the settings mean.
type config struct {
	zones  []zone.Name
	keys   []primary.Key
	notify map[zone.Name][]primary.Target
	serial primary.SerialPolicy
	policy dnssec.Policy
	upkeep upkeep

	resolvers []resolver.Server
}

// check refuses settings that cannot work, and reads the files that they name.
func (s *Settings) check() (*config, error) {
	c := &config{notify: make(map[zone.Name][]primary.Target)}
	for _, text := range s.Zones {
		n, err := zone.ParseName(text)
		if err != nil {
			return nil, settings.Invalid("zones", "%w", err)
		}
		c.zones = append(c.zones, n)
	}
	var err error
	if c.serial, err = primary.ParseSerialPolicy(s.Serial); err != nil {
		return nil, settings.Invalid("serial", "%w", err)
	}
	if c.policy, err = s.Sign.policy(); err != nil {
		return nil, err
	}
	for _, text := range s.Sign.Resolvers {
		address, err := netip.ParseAddrPort(text)
		if err != nil {
			return nil, settings.Invalid("dnssec.resolvers", "%q is not address:port", text)
		}
		c.resolvers = append(c.resolvers, resolver.Server{Address: address})
	}
	if c.upkeep, err = s.upkeep(c.zones); err != nil {
		return nil, err
	}
	for _, file := range s.Keys {
		k, err := readKey(file)
		if err != nil {
			return nil, settings.Invalid("keys", "%w", err)
		}
		c.keys = append(c.keys, *k)
	}
	if s.LocalKeyFile != "" {
		k, err := s.localKey(c.zones)
		if err != nil {
			return nil, settings.Invalid("local_key_file", "%w", err)
		}
		c.keys = append(c.keys, *k)
	}
	return c, s.targets(c)
}

// targets reads whom to notify.
func (s *Settings) targets(c *config) error {
	for _, text := range s.Notify {
		f := strings.Fields(text)
		if len(f) != 2 && len(f) != 3 {
			return settings.Invalid("notify", "%q is not ZONE ADDRESS:PORT [KEY]", text)
		}
		origin, err := zone.ParseName(f[0])
		if err != nil {
			return settings.Invalid("notify", "%w", err)
		}
		address, err := netip.ParseAddrPort(f[1])
		if err != nil {
			return settings.Invalid("notify", "%w", err)
		}
		t := primary.Target{Address: address}
		if len(f) == 3 {
			if t.Key, err = zone.ParseName(f[2]); err != nil {
				return settings.Invalid("notify", "%w", err)
			}
		}
		if !slices.Contains(c.zones, origin) {
			return settings.Invalid("notify", "%s is none of the zones", origin)
		}
		if t.Key != "" && !slices.ContainsFunc(c.keys, func(k primary.Key) bool { return k.Name == t.Key }) {
			return settings.Invalid("notify", "there is no key %s: name its file in keys", t.Key)
		}
		c.notify[origin] = append(c.notify[origin], t)
	}
	return nil
}

// policy returns how zones are signed.
func (s *SignSettings) policy() (dnssec.Policy, error) {
	a, err := dnssec.ParseAlgorithm(s.Algorithm)
	if err != nil {
		return dnssec.Policy{}, settings.Invalid("dnssec.algorithm", "%w", err)
	}
	if s.Refresh <= 0 || s.Validity < s.Refresh+24*time.Hour {
		return dnssec.Policy{}, settings.Invalid("dnssec.validity", "it must be at least a day more than dnssec.refresh")
	}
	return dnssec.Policy{
		Algorithm: a, Split: s.Split, NSEC3: s.NSEC3, Withdraw: s.Withdraw, Validity: s.Validity, Refresh: s.Refresh,
		ZoneKeyLife: s.ZoneKeyLife, EntryKeyLife: s.KeyLife, KeyTTL: s.KeyTTL, Propagate: s.Propagation,
		ParentTTL: s.ParentTTL, ParentPropagate: s.ParentPropagation,
	}, nil
}

// hostName reads a name of the settings: @ZONE is the zone itself.
func hostName(text string, zones []zone.Name) (name, origin zone.Name, err error) {
	name, err = zone.ParseName(strings.TrimPrefix(text, "@"))
	if err != nil {
		return "", "", err
	}
	for _, z := range zones {
		if name.Under(z) && len(z) > len(origin) {
			origin = z
		}
	}
	if origin == "" {
		return "", "", fmt.Errorf("%s is in none of the zones", text)
	}
	return name, origin, nil
}
