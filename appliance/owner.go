package main

import (
	"crypto/ed25519"
	"fmt"
	"strings"

	"hearth/appliance/agent"
	"hearth/appliance/box"
)

// owner is what the owner of a box has set.
type owner struct {
	plan     *plan
	hostname string
	clocks   []string
	key      ed25519.PublicKey // whom the box obeys; nil: the first who asks
}

// newOwner returns what holds if nothing is said.
func newOwner() *owner {
	return &owner{plan: &plan{data: box.Data, sets: []string{keyListen + "=:8008"}}, hostname: "hearth"}
}

// read takes the settings of a hearth.txt. A fault names its line.
func (o *owner) read(text []byte) error {
	all, err := box.ParseSettings(text)
	if err != nil {
		return err
	}
	for _, s := range all {
		if err := o.set(s.Key, s.Value); err != nil {
			return fmt.Errorf("line %d: %w", s.Line, err)
		}
	}
	return nil
}

func (o *owner) set(key, value string) error {
	own, ok := strings.CutPrefix(key, "box.")
	switch {
	case !ok && key == "data":
		return fmt.Errorf("a box keeps its data on its own partition")
	case !ok:
		return o.plan.set(key + "=" + value)
	case own == "hostname":
		if !isHostname(value) {
			return fmt.Errorf("box.hostname: %q is not 1 to 63 of a-z, 0-9 and -", value)
		}
		o.hostname = value
	case own == "clocks":
		o.clocks = strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' })
	case own == "owner":
		var err error
		if o.key, err = agent.ParseKey(value); err != nil {
			return fmt.Errorf("box.owner: %w", err)
		}
	default:
		return fmt.Errorf("there is no setting %s; there are box.hostname, box.clocks and box.owner", key)
	}
	return nil
}

// isHostname tells a label of RFC 1123 §2.1.
func isHostname(name string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789-"
	return name != "" && len(name) <= 63 && strings.Trim(name, letters) == "" && name[0] != '-' && name[len(name)-1] != '-'
}

// complete adds what follows from the rest.
func (o *owner) complete() error {
	if o.plan.value(keyServerName) == "" {
		o.plan.sets = append([]string{keyServerName + "=" + o.hostname + ".local"}, o.plan.sets...)
	}
	if err := o.plan.check(); err != nil {
		return fmt.Errorf("reading the settings: %w", err)
	}
	return nil
}
