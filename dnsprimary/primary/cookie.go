package primary

import (
	"crypto/subtle"
	"encoding/binary"
	"net/netip"
	"time"
)

// Lengths of RFC 9018 §4, and the times of its §4.3.
const (
	clientCookie = 8
	serverCookie = 16
	cookieLasts  = time.Hour
	cookieEarly  = 5 * time.Minute // how far ahead another server's clock may be
	cookieRenews = 30 * time.Minute
)

// appendCookie appends client and server cookie for a client that sent cookie.
func (s *State) appendCookie(dst []byte, now time.Time, cookie []byte, client netip.Addr) []byte {
	dst = append(dst, cookie[:clientCookie]...)
	if age, ok := s.cookieAge(now, cookie, client, 1); ok && age < cookieRenews && age >= 0 {
		return append(dst, cookie[clientCookie:]...)
	}
	var made [serverCookie]byte
	made[0] = 1
	binary.BigEndian.PutUint32(made[4:], uint32(now.Unix()))
	binary.LittleEndian.PutUint64(made[8:], cookieHash((*[16]byte)(s.settings.CookieSecrets[0]), cookie, made[:8], client))
	return append(dst, made[:]...)
}

// validCookie reports whether a cookie has a server cookie that this server, or one with its secrets, made for the
// client not long ago.
func (s *State) validCookie(now time.Time, cookie []byte, client netip.Addr) bool {
	age, ok := s.cookieAge(now, cookie, client, len(s.settings.CookieSecrets))
	return ok && age <= cookieLasts && age >= -cookieEarly
}

// cookieAge returns how old a server cookie is that was made with one of the first secrets.
func (s *State) cookieAge(now time.Time, cookie []byte, client netip.Addr, secrets int) (time.Duration, bool) {
	if len(cookie) != clientCookie+serverCookie || cookie[clientCookie] != 1 {
		return 0, false
	}
	server := cookie[clientCookie:]
	for _, secret := range s.settings.CookieSecrets[:secrets] {
		var want [8]byte
		binary.LittleEndian.PutUint64(want[:], cookieHash((*[16]byte)(secret), cookie, server[:8], client))
		if subtle.ConstantTimeCompare(want[:], server[8:]) == 1 {
			// The time wraps around with 32 bits, so it is compared as a serial number (RFC 9018 §4.3).
			age := int32(uint32(now.Unix()) - binary.BigEndian.Uint32(server[4:]))
			return time.Duration(age) * time.Second, true
		}
	}
	return 0, false
}

// cookieHash is RFC 9018 §4.4: of the client cookie, the server cookie's first half, and the client's address.
func cookieHash(secret *[16]byte, cookie, head []byte, client netip.Addr) uint64 {
	var buf [clientCookie + 8 + 16]byte
	data := append(buf[:0], cookie[:clientCookie]...)
	data = append(data, head...)
	client = client.Unmap()
	if client.Is4() {
		a := client.As4()
		data = append(data, a[:]...)
	} else if client.Is6() {
		a := client.As16()
		data = append(data, a[:]...)
	}
	return sipHash(secret, data)
}
