package resolver

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/miekg/dns"
)

// Service is a server of a service (RFC 2782).
type Service struct {
	Target           string // without the last dot
	Port             uint16
	Priority, Weight uint16
}

// Services looks up SRV records, in the order in which the servers are to be tried, which is by chance among those of
// one priority. A name that says that it has no such service is not found.
func (r *Resolver) Services(ctx context.Context, name string) (Result[Service], error) {
	found, err := lookup(ctx, r, name, dns.TypeSRV, func(rr dns.RR) (s Service, ok bool) {
		srv, ok := rr.(*dns.SRV)
		if !ok {
			return s, false
		}
		target, ok := plainName(srv.Target) // "." is none
		return Service{target, srv.Port, srv.Priority, srv.Weight}, ok
	})
	if err != nil {
		return found, err
	}
	found.Values = inOrder(found.Values, r.options.Random)
	return found, nil
}

// inOrder puts services in order. It changes all.
// spec: RFC 2782 "Weight"
func inOrder(all []Service, random func(int) int) []Service {
	slices.SortStableFunc(all, func(a, b Service) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(a.Weight, b.Weight)) // those of weight 0 first
	})
	for begin := 0; begin < len(all); {
		end := begin
		for end < len(all) && all[end].Priority == all[begin].Priority {
			end++
		}
		shuffle(all[begin:end], random)
		begin = end
	}
	return all
}

// shuffle orders servers of one priority by chance: each next one by its share of the weights that are left.
func shuffle(all []Service, random func(int) int) {
	for ; len(all) > 1; all = all[1:] {
		sum := 0
		for _, s := range all {
			sum += int(s.Weight)
		}
		mark, running := random(sum+1), 0
		for i, s := range all {
			if running += int(s.Weight); running >= mark {
				copy(all[1:i+1], all[:i]) // the others keep their order
				all[0] = s
				break
			}
		}
	}
}

// String writes a service as host:port.
func (s Service) String() string { return fmt.Sprintf("%s:%d", s.Target, s.Port) }
