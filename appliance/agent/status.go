package agent

import (
	"net/http"
	"os"
	"strconv"
	"strings"

	"hearth/appliance/disk"
	"hearth/appliance/health"
	"hearth/appliance/ota"
)

// Status is how a box is.
type Status struct {
	Version  string       `json:"version"`
	Number   uint64       `json:"number"`
	Board    string       `json:"board"`
	Slot     string       `json:"slot"`
	Trial    bool         `json:"trial"` // the version is not kept yet, or does not serve the outside yet
	Slots    []SlotState  `json:"slots"`
	Update   *ota.Trial   `json:"update,omitempty"` // the last one
	Sentence string       `json:"sentence,omitempty"`
	Health   health.State `json:"health"`
	Disk     Room         `json:"disk"`
	Memory   Room         `json:"memory"`
	Uptime   int64        `json:"uptime"` // in seconds
	Box      string       `json:"box"`    // the fingerprints
	Owner    string       `json:"owner"`
}

// SlotState is what a slot holds.
type SlotState struct {
	Slot    string `json:"slot"`
	Version string `json:"version,omitempty"` // empty if it holds none that is whole
	Number  uint64 `json:"number,omitempty"`
}

// Room is how much of something there is, in bytes.
type Room struct {
	Free int64 `json:"free"`
	Size int64 `json:"size"`
}

func (a *Agent) getStatus(_ http.ResponseWriter, r *http.Request) (any, error) {
	s := &Status{Board: a.Box.Board, Slot: a.Box.Running.String(), Box: a.keys.fingerprint(), Owner: ota.Fingerprint(a.keys.current())}
	a.mu.Lock()
	s.Trial = a.trial != nil && !a.let
	s.Slots, s.Update = a.slots, a.last
	a.mu.Unlock()
	for _, slot := range s.Slots {
		if slot.Slot == s.Slot {
			s.Version, s.Number = slot.Version, slot.Number
		}
	}
	if s.Update != nil {
		s.Sentence = s.Update.Sentence()
	}
	s.Health = health.Look(r.Context(), a.Checks)
	if space, err := disk.SpaceOf(a.Data); err == nil {
		s.Disk = Room{space.Free, space.Size}
	}
	s.Memory = memory()
	s.Uptime = int64(a.now().Sub(a.started).Seconds())
	return s, nil
}

// memory returns how much the kernel says there is.
func memory() (room Room) {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return room
	}
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		kilobytes, err := strconv.ParseInt(words[1], 10, 64)
		switch {
		case err != nil:
		case words[0] == "MemAvailable:":
			room.Free = kilobytes << 10
		case words[0] == "MemTotal:":
			room.Size = kilobytes << 10
		}
	}
	return room
}
