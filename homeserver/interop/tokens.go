package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"path/filepath"

	"hearth/matrix/wire"
)

// provide gives both servers the flavour's registration tokens: Synapse by its administrators' API, ours by the socket
// in its data folder.
func (f flavour) provide(ctx context.Context, reference *server, data string) error {
	if len(f.tokens) == 0 {
		return nil
	}
	admin := &wire.Client{Base: reference.base, HTTP: reference.http}
	if err := reference.enrol(ctx, admin, "administrator", "Administrator", true); err != nil {
		return fmt.Errorf("making an administrator of %s: %w", reference.name, err)
	}
	socket := filepath.Join(data, "run", "homeserver.sock")
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}
	defer transport.CloseIdleConnections()
	local := &wire.Client{Base: "http://local", HTTP: &http.Client{Transport: transport}}
	for _, token := range f.tokens {
		theirs := map[string]any{"token": token, "uses_allowed": 1}
		if err := admin.Do(ctx, http.MethodPost, "/_synapse/admin/v1/registration_tokens/new", nil, theirs, nil); err != nil {
			return fmt.Errorf("giving %s the token %s: %w", reference.name, token, err)
		}
		ours := map[string]any{"token": token, "uses": 1}
		if err := local.Do(ctx, http.MethodPost, "/admin/v1/tokens", nil, ours, nil); err != nil {
			return fmt.Errorf("giving Hearth the token %s: %w", token, err)
		}
	}
	return nil
}
