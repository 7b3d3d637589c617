package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/matrix/event"
)

// The server's own records, table "self": "name" is the server name, "key" is the id of the signing key, 0x00 and
// the 32 bytes of its seed.
const tableSelf = "self"

// identity returns the name and key with which this server signs. The first start makes the key on this machine; a
// later start under another name is refused, because users and rooms belong to the old one.
func identity(ctx context.Context, s *store.Store, name matrix.ServerName) (event.Signer, error) {
	have, err := s.Row(ctx, tableSelf, []byte("name"))
	if err != nil {
		return event.Signer{}, fmt.Errorf("reading the server's name: %w", err)
	}
	if have == nil {
		return newIdentity(ctx, s, name)
	}
	if string(have) != string(name) {
		return event.Signer{}, fmt.Errorf("this store belongs to the server %s: set server_name to that, or use another data folder for %s", have, name)
	}
	row, err := s.Row(ctx, tableSelf, []byte("key"))
	if err != nil {
		return event.Signer{}, fmt.Errorf("reading the signing key: %w", err)
	}
	id, seed, ok := strings.Cut(string(row), "\x00")
	if !ok || len(seed) != ed25519.SeedSize {
		return event.Signer{}, errors.New("reading the signing key: its record is malformed")
	}
	return event.Signer{Server: name, KeyID: matrix.KeyID(id), Key: ed25519.NewKeyFromSeed([]byte(seed))}, nil
}

func newIdentity(ctx context.Context, s *store.Store, name matrix.ServerName) (event.Signer, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return event.Signer{}, fmt.Errorf("making the signing key: %w", err)
	}
	var version [4]byte
	if _, err := rand.Read(version[:]); err != nil {
		return event.Signer{}, fmt.Errorf("making the signing key: %w", err)
	}
	id := matrix.KeyID("ed25519:" + hex.EncodeToString(version[:]))
	_, err = s.Apply(ctx, func(tx *store.Tx) {
		tx.Set(tableSelf, []byte("name"), []byte(name))
		tx.Set(tableSelf, []byte("key"), append([]byte(string(id)+"\x00"), key.Seed()...))
	})
	if err != nil {
		return event.Signer{}, fmt.Errorf("keeping the signing key: %w", err)
	}
	return event.Signer{Server: name, KeyID: id, Key: key}, nil
}
