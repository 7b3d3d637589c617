package main

import (
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"

	"hearth/settings"
	"hearth/storage/blob"
)

// Settings are the program's settings; their docs are the manual.
type Settings struct {
	Data        string         `toml:"data" doc:"Folder of the store; it is made if it is missing. Nothing else may be in it."`
	Socket      string         `toml:"socket" doc:"Path of the unix socket that programs connect to."`
	Namespaces  []string       `toml:"namespaces" doc:"The namespaces, each of one program: its name, then the ids of the users it may run as, each after a colon, as in dnsprimary:1002. The user whom storage runs as may always open all."`
	GroupDelay  time.Duration  `toml:"group_delay" doc:"How long a batch may wait for others to share its sync, at most 10ms. 0s is best unless a sync is slow and writers are many."`
	MemoryLimit settings.Bytes `toml:"memory_limit" doc:"Memory that the program tries to stay within."`
	LogLevel    slog.Level     `toml:"log_level" doc:"The least level of what is logged: DEBUG, INFO, WARN or ERROR."`
}

func defaultSettings() Settings {
	return Settings{
		Data:        "data/storage",
		Socket:      "storage.sock",
		Namespaces:  []string{"homeserver", "dnsprimary"},
		MemoryLimit: 64 << 20,
		LogLevel:    slog.LevelWarn,
	}
}

// users reads Namespaces: who may open which.
func (s *Settings) users() (map[string][]uint32, error) {
	users := make(map[string][]uint32)
	for _, entry := range s.Namespaces {
		parts := strings.Split(entry, ":")
		name := parts[0]
		if err := blob.CheckNamespace(name); err != nil {
			return nil, settings.Invalid("namespaces", "%q is no name for one: want 1 to %d of a-z, 0-9, _ and -", name, blob.MaxNamespace)
		}
		if users[name] != nil {
			return nil, settings.Invalid("namespaces", "%s is named twice", name)
		}
		users[name] = []uint32{uint32(os.Getuid())}
		for _, text := range parts[1:] {
			uid, err := strconv.ParseUint(text, 10, 32)
			if err != nil {
				return nil, settings.Invalid("namespaces", "%q in %q is no user id", text, entry)
			}
			users[name] = append(users[name], uint32(uid))
		}
	}
	return users, nil
}

// check refuses settings that cannot work.
func (s *Settings) check() error {
	switch {
	case s.Data == "":
		return settings.Invalid("data", "name a folder")
	case s.Socket == "":
		return settings.Invalid("socket", "name a path")
	case s.GroupDelay < 0 || s.GroupDelay > 10*time.Millisecond:
		return settings.Invalid("group_delay", "want 0s to 10ms, not %v", s.GroupDelay)
	case s.MemoryLimit < 32<<20:
		return settings.Invalid("memory_limit", "want at least 32MiB, not %v", s.MemoryLimit)
	}
	_, err := s.users()
	return err
}
