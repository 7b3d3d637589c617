package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"hearth/appliance/box"
	"hearth/appliance/disk"
	"hearth/appliance/health"
	"hearth/confinement"
	"hearth/storage/socket"
)

// lookEvery is how often the health tree is looked at; until the box is well for the first time it is lookSoon, and nothing
// is said of it before startsWithin.
const (
	lookEvery    = 5 * time.Second
	lookSoon     = 500 * time.Millisecond
	startsWithin = 30 * time.Second
)

// patience is how long the box may be unwell until the watchdog is left to start it anew.
const patience = 10 * time.Minute

// tree is how to find out whether the box is well.
func (m *machine) tree() health.Check {
	programs := health.Check{Name: "storage", Test: m.asksStorage(), Children: []health.Check{
		{Name: "dnsprimary", Test: m.asks("dnsprimary")},
		{Name: "homeserver", Test: m.asks("homeserver")},
	}}
	return health.Check{Name: "box", Children: []health.Check{
		{Name: "data", Test: m.lookAtData, Children: []health.Check{programs}},
		{Name: "network", Test: m.lookAtNetwork, Advisory: true},
		{Name: "clock", Test: m.lookAtClock, Advisory: true},
		{Name: "confinement", Test: lookAtConfinement, Advisory: true},
	}}
}

// lookAtData fails if what is written would not last.
func (m *machine) lookAtData(context.Context) (string, error) {
	m.mu.Lock()
	without := m.without
	m.mu.Unlock()
	if without != nil {
		return "", without
	}
	space, err := disk.SpaceOf(box.Data)
	if err != nil {
		return "", err
	}
	faults, err := disk.Errors(sysfs, m.data)
	switch {
	case err != nil:
		return "", err
	case space.ReadOnly:
		return "", errors.New("the file system has become read-only, because it is damaged or its disk fails; back up what can be read")
	case faults > 0:
		return fmt.Sprintf("the kernel has found %d faults in the file system; back it up, then start the box anew: it checks it", faults), nil
	case space.Free < space.Size/20:
		return "less than 5 % are free", nil
	}
	note := fmt.Sprintf("%d MiB", space.Size>>20)
	if m.checked.Found != "" {
		note += "; checked at the start: " + m.checked.Found
	}
	return note, nil
}

func (m *machine) lookAtNetwork(context.Context) (string, error) {
	addresses, name := m.network.Addresses(), m.network.Name()
	switch {
	case len(addresses) == 0 && name != "":
		return "", fmt.Errorf("no router and no DHCP server answers; who is on the same cable finds %s", name)
	case len(addresses) == 0:
		return "", errors.New("no address; is a cable in?")
	case name != "":
		addresses = append(addresses, name)
	}
	note := strings.Join(addresses, ", ")
	if !m.network.Resolves() {
		note += "; the network names nobody who resolves names"
	}
	return note, nil
}

func (m *machine) lookAtClock(context.Context) (string, error) {
	note, known := m.clock.Note()
	if !known {
		return "", errors.New(note)
	}
	return note, nil
}

func lookAtConfinement(context.Context) (string, error) {
	if missing := confinement.Missing(); len(missing) > 0 {
		return "", errors.New("this kernel cannot say " + strings.Join(missing, ", nor "))
	}
	return "", nil
}

// asksStorage tests whether storage answers a question about the box's own namespace.
func (m *machine) asksStorage() func(context.Context) (string, error) {
	var client *socket.Client // kept between looks, which are made one after the other
	return func(ctx context.Context) (string, error) {
		if client == nil {
			var err error
			if client, err = socket.Dial(ctx, m.site.path("storage", "storage.sock"), ownNamespace, socket.ClientOptions{}); err != nil {
				return "", err
			}
		}
		_, _, err := client.Root(ctx, "health")
		return "", err
	}
}

// asks tests what a program says of its health.
func (m *machine) asks(program string) func(context.Context) (string, error) {
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", m.site.path(program, program+".sock"))
		},
	}}
	return func(ctx context.Context) (string, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+program+"/health", nil)
		if err != nil {
			return "", err
		}
		response, err := client.Do(request)
		if err != nil {
			return "", err
		}
		defer response.Body.Close()
		text, err := io.ReadAll(io.LimitReader(response.Body, 1<<10))
		if err != nil {
			return "", err
		}
		if response.StatusCode != http.StatusOK {
			return "", errors.New(strings.TrimSpace(string(text)))
		}
		return "", nil
	}
}

// look looks at the tree until ctx ends, and shows what has changed.
func (m *machine) look(ctx context.Context) {
	var shown string
	tree, wait, begun := m.tree(), lookSoon, time.Now()
	for {
		state := health.Look(ctx, tree)
		if ctx.Err() != nil {
			return
		}
		m.remember(state)
		if m.wasWell() {
			wait = lookEvery
		}
		starting := !m.wasWell() && time.Since(begun) < startsWithin
		if page := m.page(state); page != shown && !starting {
			shown = page
			io.WriteString(m.console, page) // there may be nobody to read it
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// remember keeps a state for the watchdog, and in a file for the other processes of the box.
func (m *machine) remember(s health.State) {
	m.mu.Lock()
	if s.Well {
		m.well, m.once = time.Now(), true
	}
	m.mu.Unlock()
	text, err := json.Marshal(s)
	if err == nil {
		err = os.WriteFile(box.Health+".new", text, 0o600)
	}
	if err == nil {
		err = os.Rename(box.Health+".new", box.Health)
	}
	if err != nil {
		m.log.Warn("the box's health is not told", "err", err)
	}
}

// wasWell reports whether the box has been well since it started, or can never be.
func (m *machine) wasWell() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.once || m.without != nil
}

// fit decides whether the watchdog is fed: while the box is well, and if it is not, for as long as a start may help; and
// if the programs do not run at all, because then another start would not help, and would hide from the owner why.
func (m *machine) fit() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.ends.IsZero() {
		return time.Since(m.ends) < endWithin
	}
	return m.without != nil || time.Since(m.well) < patience
}

// page is what the console shows.
func (m *machine) page(s health.State) string {
	var b bytes.Buffer
	word := "is well"
	if !s.Well {
		word = "IS NOT WELL"
	}
	fmt.Fprintf(&b, "\n=== Hearth %s ===\n", word)
	for _, cause := range s.Causes() {
		fmt.Fprintf(&b, "  ! %s\n", cause)
	}
	s.Print(&b) // a buffer takes everything
	if addresses := m.network.Addresses(); s.Well && len(addresses) > 0 {
		_, port, _ := net.SplitHostPort(m.owner.plan.value(keyListen)) // checked
		fmt.Fprintf(&b, "\n  %s at http://%s\n", m.owner.plan.value(keyServerName), net.JoinHostPort(addresses[0], port))
	}
	return b.String()
}

// apologise answers every request of a client with the reason why the homeserver does not run, until ctx ends.
func apologise(ctx context.Context, address string, why error) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("listening for clients: %w", err)
	}
	body, err := json.Marshal(map[string]string{"errcode": "M_UNKNOWN", "error": "This Hearth does not serve: " + why.Error()})
	if err != nil {
		return err
	}
	server := &http.Server{
		ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Access-Control-Allow-Origin", "*")
			w.WriteHeader(http.StatusServiceUnavailable)
			w.Write(body)
		}),
	}
	defer context.AfterFunc(ctx, func() { server.Close() })()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
