package main

import (
	"log/slog"
	"os"
	"strings"
	"time"

	"hearth/homeserver/clientapi"
	"hearth/homeserver/notice"
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
	AdminSocket   string `toml:"admin_socket" doc:"Path of the unix socket for administration (homeserver admin), health and metrics; empty for none. Only root and the user that the program runs as may connect."`

	Registration           string        `toml:"registration" doc:"Who may register: open for everyone, token for who has a registration token, closed for nobody."`
	RegistrationSecretFile string        `toml:"registration_secret_file" doc:"Path of a file with the shared secret of /_synapse/admin/v1/register; empty turns that off."`
	RegistrationSecret     string        `toml:"registration_secret" secret:"true" doc:"The same secret itself, for tests."`
	LoginTokens            bool          `toml:"login_tokens" doc:"Let a device that is logged in give another one a token to log in with, after asking for the password."`
	AccessTokenLifetime    time.Duration `toml:"access_token_lifetime" doc:"How long the access tokens last of clients that can refresh them."`
	RateLimits             bool          `toml:"rate_limits" doc:"Refuse for a while whoever asks too often, by the limits below; false turns all of them off."`
	TrustedProxies         []string      `toml:"trusted_proxies" doc:"Addresses and networks of the reverse proxies in front of this server: what they say in X-Forwarded-For of a client's address is believed, and nobody else's word."`
	SearchAllUsers         bool          `toml:"search_all_users" doc:"Let a search for users find everybody of this server, not only who shares a room with the one who searches or is in a public one."`
	ForgetOnLeave          bool          `toml:"forget_on_leave" doc:"Let rooms be forgotten by who leaves them or is removed: their history is closed to that user and no client lists them any more."`
	EncryptRooms           bool          `toml:"encrypt_rooms" doc:"Encrypt new rooms from the start unless they are public, whether or not the client asks for it."`
	Presence               bool          `toml:"presence" doc:"Tell users who share a room who of them is online, and their status messages."`
	ShutdownTimeout        time.Duration `toml:"shutdown_timeout" doc:"How long requests may take to end when the program is told to stop."`

	MemoryLimit settings.Bytes `toml:"memory_limit" doc:"Memory that the program tries to stay within."`
	EventCache  settings.Bytes `toml:"event_cache" doc:"Memory for events that were read or written lately."`
	StateCache  settings.Bytes `toml:"state_cache" doc:"Memory for the nodes of room states."`
	LogLevel    slog.Level     `toml:"log_level" doc:"The least level of what is logged: DEBUG, INFO, WARN or ERROR."`

	TLS     TLSSettings       `toml:"tls"`
	Turn    TurnSettings      `toml:"turn"`
	Limits  clientapi.Limits  `toml:"limits"`
	Terms   clientapi.Terms   `toml:"terms"`
	Support clientapi.Support `toml:"support"`

	ServerNotices NoticeSettings `toml:"server_notices"`

	proxies ratelimit.Proxies
	turn    clientapi.Turn
	notices notice.Options
}

// NoticeSettings are those of the server's own messages to its users.
type NoticeSettings struct {
	User string `toml:"user" doc:"Local part of the user as whom the server speaks to its users (homeserver admin notice send), which nobody else can register; empty turns that off."`
	Name string `toml:"name" doc:"The name that users see of it, and of the room in which it speaks to them."`
}

// options checks the settings.
func (n *NoticeSettings) options(server matrix.ServerName) (notice.Options, error) {
	if n.User == "" {
		return notice.Options{}, nil
	}
	id, err := matrix.NewUserID(n.User, server)
	if err != nil {
		return notice.Options{}, settings.Invalid("server_notices.user", "%w", err)
	}
	if n.Name == "" || len(n.Name) > 200 {
		return notice.Options{}, settings.Invalid("server_notices.name", "a name has 1 to 200 bytes")
	}
	return notice.Options{User: id, Name: n.Name}, nil
}

// TurnSettings are those of the TURN server for calls.
type TurnSettings struct {
	URIs         []string      `toml:"uris" doc:"URIs of the TURN server by which clients reach each other for calls, such as turn:turn.example.org:3478?transport=udp; none if there is none."`
	SecretFile   string        `toml:"secret_file" doc:"Path of a file with the secret that this server shares with the TURN server (coturn's static-auth-secret): each client gets credentials of its own, for a time."`
	Username     string        `toml:"username" doc:"User name at the TURN server for all clients, if there is no shared secret."`
	PasswordFile string        `toml:"password_file" doc:"Path of a file with the password for username."`
	Lifetime     time.Duration `toml:"lifetime" doc:"How long a client uses the credentials before it asks for new ones."`
}

// read checks the settings and reads the files that they name.
func (t *TurnSettings) read() (clientapi.Turn, error) {
	out := clientapi.Turn{URIs: t.URIs, Username: t.Username, Lifetime: t.Lifetime}
	for _, uri := range t.URIs {
		if !strings.HasPrefix(uri, "turn:") && !strings.HasPrefix(uri, "turns:") {
			return out, settings.Invalid("turn.uris", "%q begins with neither turn: nor turns:", uri)
		}
	}
	if len(t.URIs) > 0 && (t.SecretFile == "") == (t.Username == "" || t.PasswordFile == "") {
		return out, settings.Invalid("turn.uris", "give either turn.secret_file, or turn.username and turn.password_file")
	}
	if t.Lifetime < time.Minute {
		return out, settings.Invalid("turn.lifetime", "%s is less than a minute", t.Lifetime)
	}
	var err error
	if out.Secret, err = secret("turn.secret_file", t.SecretFile); err != nil {
		return out, err
	}
	out.Password, err = secret("turn.password_file", t.PasswordFile)
	return out, err
}

// secret reads what a file holds, "" if no file is named.
func secret(key, file string) (string, error) {
	if file == "" {
		return "", nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return "", settings.Invalid(key, "%w", err)
	}
	text := strings.TrimSpace(string(data))
	if text == "" {
		return "", settings.Invalid(key, "%s is empty", file)
	}
	return text, nil
}

func defaultSettings() Settings {
	return Settings{
		Terms:               clientapi.Terms{Name: "Terms of service", Version: "1"},
		ServerName:          "localhost",
		Listen:              "127.0.0.1:8008",
		StorageSocket:       "storage.sock",
		Registration:        "closed",
		AccessTokenLifetime: 5 * time.Minute,
		SearchAllUsers:      true,
		RateLimits:          true,
		Presence:            true,
		ShutdownTimeout:     5 * time.Second,
		MemoryLimit:         96 << 20,
		EventCache:          6 << 20,
		StateCache:          4 << 20,
		LogLevel:            slog.LevelWarn,
		Turn:                TurnSettings{Lifetime: 24 * time.Hour},
		ServerNotices:       NoticeSettings{User: "server", Name: "Server Notices"},
		Limits:              clientapi.DefaultLimits(),
	}
}

// check refuses settings that cannot work and reads the secret's file.
func (s *Settings) check() error {
	if _, err := matrix.ParseServerName(s.ServerName); err != nil {
		return settings.Invalid("server_name", "%w", err)
	}
	if s.Registration != "open" && s.Registration != "token" && s.Registration != "closed" {
		return settings.Invalid("registration", "want open, token or closed, not %q", s.Registration)
	}
	if err := s.Terms.Check(); err != nil {
		return settings.Invalid("terms.url", "%w", err)
	}
	if err := s.Support.Check(); err != nil {
		return settings.Invalid("support.matrix_id", "%w", err)
	}
	if s.AccessTokenLifetime < time.Second {
		return settings.Invalid("access_token_lifetime", "want at least 1s, not %s", s.AccessTokenLifetime)
	}
	if (s.FederationCert == "") != (s.FederationKey == "") {
		return settings.Invalid("federation_cert", "federation_cert and federation_key go together")
	}
	var err error
	if s.proxies, err = ratelimit.ParseProxies(s.TrustedProxies); err != nil {
		return settings.Invalid("trusted_proxies", "%w", err)
	}
	if s.notices, err = s.ServerNotices.options(matrix.ServerName(s.ServerName)); err != nil {
		return err
	}
	if s.turn, err = s.Turn.read(); err != nil {
		return err
	}
	if s.RegistrationSecretFile != "" {
		s.RegistrationSecret, err = secret("registration_secret_file", s.RegistrationSecretFile)
	}
	return err
}

// limits returns the limits that are in force.
func (s *Settings) limits() clientapi.Limits {
	if !s.RateLimits {
		return clientapi.Limits{}
	}
	return s.Limits
}
