package network

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"reflect"
	"sync"
	"time"
)

// announce has HOSTNAME.local, anew whenever addresses change, until ctx ends.
func (n *Network) announce(ctx context.Context) {
	failed, retry := complaints{log: n.Log}, firstRetry
	for ctx.Err() == nil {
		err := n.speak(ctx)
		pause := probePause // addresses have changed, and more may do so at once
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			retry, failed.last = firstRetry, ""
		default:
			failed.say("the box is not found by its name", "all", err)
			pause, retry = retry, min(2*retry, lastRetry)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// speak has the name as long as the addresses are what they are.
func (n *Network) speak(ctx context.Context) error {
	changed := n.Changed()
	places, err := n.places()
	if err != nil {
		return err
	}
	here, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	running.Go(func() { n.whileAt(here, changed, places, cancel) })
	if len(places) == 0 {
		<-here.Done()
		return nil
	}
	var links []int
	for link := range places {
		links = append(links, link)
	}
	conn, err := openMulticast(mdnsPort, links)
	if err != nil {
		return err
	}
	defer conn.Close()
	heard := make(chan arrived)
	running.Go(func() { conn.listen(here, heard) }) // until conn is closed
	r := &responder{host: n.Hostname, places: places, heard: heard, send: conn.send, named: n.rename}
	err = r.run(here)
	if ctx.Err() != nil {
		r.leave()
	}
	return err
}

// whileAt ends something once the interfaces are at other places.
func (n *Network) whileAt(ctx context.Context, changed <-chan struct{}, places map[int][]netip.Prefix, end func()) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
		changed = n.Changed()
		if now, err := n.places(); err == nil && !reflect.DeepEqual(now, places) {
			end()
			return
		}
	}
}

// places returns the addresses of the interfaces that can speak to many, by index.
func (n *Network) places() (map[int][]netip.Prefix, error) {
	held, err := kernelAddresses()
	if err != nil {
		return nil, err
	}
	links, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("listing interfaces: %w", err)
	}
	places := make(map[int][]netip.Prefix)
	for _, l := range links {
		if l.Flags&net.FlagUp == 0 || l.Flags&net.FlagMulticast == 0 || l.Flags&net.FlagLoopback != 0 {
			continue
		}
		for _, h := range held {
			if h.link == l.Index {
				places[l.Index] = append(places[l.Index], h.prefix)
			}
		}
	}
	return places, nil
}

// rename remembers the name that the box has.
func (n *Network) rename(name string) {
	n.mu.Lock()
	before := n.name
	n.name = name
	n.mu.Unlock()
	if name != before {
		n.Log.Info("the box has a name", "name", name+".local")
		n.compare()
	}
}

// Name returns the name by which the box is found, empty if it has none yet. It is another than HOSTNAME.local if somebody else has that.
func (n *Network) Name() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.name == "" {
		return ""
	}
	return n.name + ".local"
}
