package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/hex"
	"net/http"
	"strings"

	"hearth/matrix"
	"hearth/matrix/wire"
)

// secret is what both servers register users by, whatever else they let register.
const secret = "judge"

// enrol makes an account by the shared secret, which both servers know how to be registered by.
func (s *server) enrol(ctx context.Context, c *wire.Client, name, displayName string, admin bool) error {
	const path = "/_synapse/admin/v1/register"
	var offer struct {
		Nonce string `json:"nonce"`
	}
	if err := c.Do(ctx, http.MethodGet, path, nil, nil, &offer); err != nil {
		return err
	}
	kind := "notadmin"
	if admin {
		kind = "admin"
	}
	mac := hmac.New(sha1.New, []byte(secret))
	mac.Write([]byte(strings.Join([]string{offer.Nonce, name, password, kind}, "\x00")))
	var session struct {
		User   matrix.UserID `json:"user_id"`
		Token  string        `json:"access_token"`
		Device string        `json:"device_id"`
	}
	body := map[string]any{
		"nonce": offer.Nonce, "username": name, "password": password, "displayname": displayName, "admin": admin,
		"mac": hex.EncodeToString(mac.Sum(nil)),
	}
	if err := c.Do(ctx, http.MethodPost, path, nil, body, &session); err != nil {
		return err
	}
	c.User, c.Token, c.Device = session.User, session.Token, session.Device
	return nil
}
