package network

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// Within which a box that is there answers, how often it is asked, and how long is waited for a better address than one of the link only.
const (
	resolverPatience  = 3 * time.Second
	multicastPatience = 5 * time.Second
	askAgain          = time.Second
	better            = 200 * time.Millisecond
)

// Find returns the address of a host of the local network, NAME.local: by this machine's resolver if that can, and otherwise by
// asking with multicast DNS. One that holds on one link only has that as its zone.
func Find(ctx context.Context, name string) (netip.Addr, error) {
	patient, cancel := context.WithTimeout(ctx, resolverPatience)
	defer cancel()
	if found, err := net.DefaultResolver.LookupNetIP(patient, "ip", name); err == nil && len(found) > 0 {
		return found[0].Unmap(), nil
	}
	patient, cancel = context.WithTimeout(ctx, multicastPatience)
	defer cancel()
	found, err := ask(patient, name)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("finding %s: %w", name, err)
	}
	return found, nil
}

var errNobody = errors.New("nobody on this network answers to it; is the box on, and its cable in? Its address does too")

// ask asks with multicast DNS, from a port of its own, so that the answer comes to it alone (RFC 6762 §5.1).
func ask(ctx context.Context, name string) (netip.Addr, error) {
	label := strings.TrimSuffix(strings.TrimSuffix(name, "."), ".local")
	c, err := newClaim(label, nil)
	if err != nil {
		return netip.Addr{}, err
	}
	conn, err := openMulticast(0, nil)
	if err != nil {
		return netip.Addr{}, err
	}
	ctx, cancel := context.WithCancel(ctx)
	var listening sync.WaitGroup
	defer listening.Wait()
	defer conn.Close()
	defer cancel()
	heard := make(chan arrived)
	listening.Go(func() { conn.listen(ctx, heard) }) // until conn is closed
	question := dnsmessage.Message{Header: dnsmessage.Header{ID: uint16(rand.Uint32())}}
	for _, kind := range []dnsmessage.Type{dnsmessage.TypeA, dnsmessage.TypeAAAA} {
		question.Questions = append(question.Questions, dnsmessage.Question{Name: c.name, Type: kind, Class: dnsmessage.ClassINET})
	}
	conn.sendEverywhere(&question)
	again := time.NewTicker(askAgain)
	defer again.Stop()
	var near netip.Addr // on one link only
	var enough <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return netip.Addr{}, errNobody
		case <-again.C:
			conn.sendEverywhere(&question)
		case <-enough:
			return near, nil
		case a, ok := <-heard:
			if !ok {
				return netip.Addr{}, errNobody
			}
			found := a.addressOf(c, question.ID)
			switch {
			case !found.IsValid():
			case !found.IsLinkLocalUnicast():
				return found, nil
			case !near.IsValid():
				near, enough = found, time.After(better)
			}
		}
	}
}

// sendEverywhere sends a message to the groups by each interface that can.
func (m *multicast) sendEverywhere(message *dnsmessage.Message) {
	links, err := net.Interfaces()
	if err != nil {
		return
	}
	group4, group6 := mdnsGroups()
	for _, l := range links {
		if l.Flags&net.FlagUp != 0 && l.Flags&net.FlagMulticast != 0 {
			_, _ = m.send(l.Index, group4, message), m.send(l.Index, group6, message) // not every interface has both
		}
	}
}

// addressOf returns the best address that an answer gives a name, the zero Addr if it gives none.
func (a *arrived) addressOf(c claim, id uint16) (best netip.Addr) {
	if !a.message.Response || a.message.ID != id {
		return netip.Addr{}
	}
	for _, r := range append(a.message.Answers, a.message.Additionals...) {
		var found netip.Addr
		switch body := r.Body.(type) {
		case *dnsmessage.AResource:
			found = netip.AddrFrom4(body.A)
		case *dnsmessage.AAAAResource:
			found = netip.AddrFrom16(body.AAAA)
		}
		switch {
		case !c.is(r.Header.Name):
		case found.IsGlobalUnicast() && !found.Is4In6():
			return found
		case found.IsLinkLocalUnicast() && found.Is6():
			best = found.WithZone(zone(a.link))
		case found.IsLinkLocalUnicast() && !best.IsValid():
			best = found
		}
	}
	return best
}

// zone returns the name of an interface.
func zone(index int) string {
	if l, err := net.InterfaceByIndex(index); err == nil {
		return l.Name
	}
	return fmt.Sprint(index)
}

// Dial connects to host:port, where the host may be NAME.local.
func Dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if strings.HasSuffix(strings.TrimSuffix(strings.ToLower(host), "."), ".local") {
		found, err := Find(ctx, host)
		if err != nil {
			return nil, err
		}
		address = net.JoinHostPort(found.String(), port)
	}
	return (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, network, address)
}
