package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"

	"hearth/appliance/agent"
	"hearth/appliance/network"
	"hearth/appliance/ota"
	"hearth/settings"
)

// target is the box that a verb speaks to, by its flags and arguments.
type target struct {
	flags       *flag.FlagSet
	host        string
	fingerprint string
}

const targetUsage = `HOST is the box's name, such as hearth.local, or its address; with a port if it is not ` + agent.Port + `. At first contact its key is
remembered, and if it has no owner yet, your key becomes its owner's: it obeys nobody else then. Yours is made at first use,
and kept in owner.key below ~/.config/hearth: keep a copy of it in a safe place.

  --fingerprint KEY  refuse a box whose key has another fingerprint than its console shows
`

func newTarget(verb string) *target {
	t := &target{flags: flag.NewFlagSet(verb, flag.ContinueOnError)}
	t.flags.StringVar(&t.fingerprint, "fingerprint", "", "")
	return t
}

// parse reads the arguments, which must name a box.
func (t *target) parse(args []string) error {
	rest, err := parseFlags(t.flags, args, 1)
	if err != nil {
		return err
	}
	if len(rest) == 0 {
		return &settings.Error{Err: fmt.Errorf("%s needs the name or address of a box, such as hearth.local", t.flags.Name())}
	}
	t.host = rest[0]
	return nil
}

// ownLaptop opens the owner's laptop with its key, which is made at first use.
func ownLaptop(notes io.Writer) (*agent.Laptop, ed25519.PrivateKey, error) {
	laptop, err := agent.OpenLaptop()
	if err != nil {
		return laptop, nil, err
	}
	key, made, err := laptop.Key()
	if made {
		fmt.Fprintf(notes, "Your key was made: it is in %s. Whoever has it can update your boxes.\n", laptop.Folder)
	}
	return laptop, key, err
}

// connect returns a client of the box, which it has met.
func (t *target) connect(ctx context.Context, notes io.Writer) (*agent.Client, error) {
	laptop, key, err := ownLaptop(notes)
	if err != nil {
		return nil, err
	}
	client, err := laptop.Dial(t.host, t.fingerprint, network.Dial)
	if err != nil {
		return nil, err
	}
	_, err = client.Status(ctx)
	var refused *agent.Refusal
	if errors.As(err, &refused) && refused.Status == http.StatusForbidden {
		_, err = client.Enrol(ctx)
	}
	if err != nil {
		client.Close()
		return nil, err
	}
	if client.First() {
		fmt.Fprintf(notes, "This is the first contact with %s: its key is %s, and its owner's is yours, %s.\n",
			t.host, client.Fingerprint(), ota.Fingerprint(agent.PublicKey(key)))
	}
	return client, nil
}
