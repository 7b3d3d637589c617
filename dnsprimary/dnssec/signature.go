package dnssec

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"time"

	"hearth/dnsprimary/zone"

	"github.com/miekg/dns"
)

// signature is what is before the signer's name in the rdata of RRSIG (RFC 4034 §3.1).
type signature struct {
	covers                uint16
	algorithm             Algorithm
	labels                uint8
	ttl                   uint32
	expiration, inception time.Time
	tag                   uint16
}

const fixedSignature = 18

func (s *signature) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint16(dst, s.covers)
	dst = append(dst, byte(s.algorithm), s.labels)
	dst = binary.BigEndian.AppendUint32(dst, s.ttl)
	dst = binary.BigEndian.AppendUint32(dst, uint32(s.expiration.Unix()))
	dst = binary.BigEndian.AppendUint32(dst, uint32(s.inception.Unix()))
	return binary.BigEndian.AppendUint16(dst, s.tag)
}

func parseSignature(rdata string) (s signature, ok bool) {
	if len(rdata) < fixedSignature {
		return s, false
	}
	b := []byte(rdata[:fixedSignature])
	s.covers, s.algorithm, s.labels = binary.BigEndian.Uint16(b), Algorithm(b[2]), b[3]
	s.ttl, s.tag = binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint16(b[16:])
	s.expiration = time.Unix(int64(binary.BigEndian.Uint32(b[8:])), 0)
	s.inception = time.Unix(int64(binary.BigEndian.Uint32(b[12:])), 0)
	return s, true
}

// signatureSet signs a set with all keys that do.
func (w *work) signatureSet(owner zone.Name, set zone.RRset) (zone.RRset, error) {
	var all []string
	for _, k := range w.signers(set.Type) {
		rdata, err := w.signature(k, owner, set)
		if err != nil {
			return zone.RRset{}, fmt.Errorf("signing %s %s: %w", owner, zone.TypeName(set.Type), err)
		}
		all = append(all, rdata)
	}
	return zone.NewRRset(dns.TypeRRSIG, set.TTL, all...), nil
}

// signature signs a set with one key.
// spec: RFC 4034 §3.1.8.1
func (w *work) signature(k *Key, owner zone.Name, set zone.RRset) (string, error) {
	s := signature{
		covers: set.Type, algorithm: k.Algorithm, labels: uint8(owner.Labels()), ttl: set.TTL, tag: k.Tag(),
		inception: w.now.Add(-w.policy.Backdate), expiration: w.now.Add(w.policy.Validity + w.jitter(owner, set.Type)),
	}
	if owner.IsWildcard() {
		s.labels--
	}
	rdata := append(s.append(nil), w.z.Origin()...)
	message := append([]byte(nil), rdata...)
	for one := range set.All() {
		message = append(message, owner...)
		message = binary.BigEndian.AppendUint16(message, set.Type)
		message = binary.BigEndian.AppendUint16(message, dns.ClassINET)
		message = binary.BigEndian.AppendUint32(message, set.TTL)
		message = binary.BigEndian.AppendUint16(message, uint16(len(one)))
		message = append(message, one...)
	}
	signed, err := k.sign(message)
	return string(append(rdata, signed...)), err
}

// jitter is by how much later than others the signatures of a set end: the same for each of the set's signatures.
func (w *work) jitter(owner zone.Name, typ uint16) time.Duration {
	h := fnv.New64a()
	h.Write([]byte(owner))
	h.Write([]byte{byte(typ >> 8), byte(typ)})
	seconds := uint64(w.policy.Jitter / time.Second)
	if seconds == 0 {
		return 0
	}
	return time.Duration(h.Sum64()%seconds) * time.Second
}

// Window returns from when until when all signatures of a zone are valid, and when the first should be made anew. Both
// times are zero for a zone without any.
func (s *Signer) Window(z *zone.Zone) (from, until, refresh time.Time) {
	for _, sets := range z.All() {
		for _, set := range sets {
			if set.Type != dns.TypeRRSIG {
				continue
			}
			for rdata := range set.All() {
				sig, ok := parseSignature(rdata)
				if !ok {
					continue
				}
				if from.IsZero() || sig.inception.After(from) {
					from = sig.inception
				}
				if until.IsZero() || sig.expiration.Before(until) {
					until = sig.expiration
				}
			}
		}
	}
	if until.IsZero() {
		return from, until, refresh
	}
	return from, until, until.Add(-s.Policy.withDefaults().Refresh)
}
