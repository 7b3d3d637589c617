package main

import (
	"log/slog"
	"os"
	"strings"
	"time"

	"hearth/homeserver/clientapi"
	"hearth/homeserver/ratelimit"
	"hearth/matrix"
	"hearth/settings"
)

// Settings are the homeserver's settings; their docs are the manual.
type Settings struct {
	ServerName string `toml:"server_name" doc:"The name in every user id and room alias: a domain, or host:port. It cannot be changed once there are users."`
	Listen     string `toml:"listen" doc:"TCP address, host:port, of the Client-Server API over plain HTTP."`
	PublicURL  string `toml:"public_url" doc:"URL at which clients reach the API from outside, served in .well-known/matrix/client; empty to leave it out."`

	FederationListen string `toml:"federation_listen" doc:"TCP address, host:port, of HTTPS for other servers. Accepted now and used once this server federates."`
	FederationCert   string `toml:"federation_cert" doc:"Path of the PEM certificate chain for federation_listen."`
	FederationKey    string `toml:"federation_key" doc:"Path of the PEM private key for federation_listen."`

	StorageSocket string `toml:"storage_socket" doc:"Path of the storage program's unix socket."`
	AdminSocket   string `toml:"admin_socket" doc:"Path of the unix socket for health and metrics; empty for none."`

	Registration           string        `toml:"registration" doc:"Who may register: open for everyone, closed for nobody."`
	RegistrationSecretFile string        `toml:"registration_secret_file" doc:"Path of a file with the shared secret of /_synapse/admin/v1/register; empty turns that off."`
	RegistrationSecret     string        `toml:"registration_secret" secret:"true" doc:"The same secret itself, for tests."`
	RateLimits             bool          `toml:"rate_limits" doc:"Refuse for a while whoever asks too often, by the limits below; false turns all of them off."`
	TrustedProxies         []string      `toml:"trusted_proxies" doc:"Addresses and networks of the reverse proxies in front of this server: what they say in X-Forwarded-For of a client's address is believed, and nobody else's word."`
	Presence               bool          `toml:"presence" doc:"Tell users who is online. Accepted now and used once this server serves presence."`
	ShutdownTimeout        time.Duration `toml:"shutdown_timeout" doc:"How long requests may take to end when the program is told to stop."`

	MemoryLimit settings.Bytes `toml:"memory_limit" doc:"Memory that the program tries to stay within."`
	EventCache  settings.Bytes `toml:"event_cache" doc:"Memory for events that were read or written lately."`
	StateCache  settings.Bytes `toml:"state_cache" doc:"Memory for the nodes of room states."`
	LogLevel    slog.Level     `toml:"log_level" doc:"The least level of what is logged: DEBUG, INFO, WARN or ERROR."`

	Limits clientapi.Limits `toml:"limits"`

	proxies ratelimit.Proxies
}

func defaultSettings() Settings {
	return Settings{
		ServerName:      "localhost",
		Listen:          "127.0.0.1:8008",
		StorageSocket:   "storage.sock",
		Registration:    "closed",
		RateLimits:      true,
		Presence:        true,
		ShutdownTimeout: 5 * time.Second,
		MemoryLimit:     96 << 20,
		EventCache:      6 << 20,
		StateCache:      4 << 20,
		LogLevel:        slog.LevelWarn,
		Limits:          clientapi.DefaultLimits(),
	}
}

// check refuses settings that cannot work and reads the secret's file.
func (s *Settings) check() error {
	if _, err := matrix.ParseServerName(s.ServerName); err != nil {
		return settings.Invalid("server_name", "%w", err)
	}
	if s.Registration != "open" && s.Registration != "closed" {
		return settings.Invalid("registration", "want open or closed, not %q", s.Registration)
	}
	if (s.FederationCert == "") != (s.FederationKey == "") {
		return settings.Invalid("federation_cert", "federation_cert and federation_key go together")
	}
	var err error
	if s.proxies, err = ratelimit.ParseProxies(s.TrustedProxies); err != nil {
		return settings.Invalid("trusted_proxies", "%w", err)
	}
	if s.RegistrationSecretFile == "" {
		return nil
	}
	data, err := os.ReadFile(s.RegistrationSecretFile)
	if err != nil {
		return settings.Invalid("registration_secret_file", "%w", err)
	}
	s.RegistrationSecret = strings.TrimSpace(string(data))
	return nil
}

// limits returns the limits that are in force.
func (s *Settings) limits() clientapi.Limits {
	if !s.RateLimits {
		return clientapi.Limits{}
	}
	return s.Limits
}
