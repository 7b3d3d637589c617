package account

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"hearth/homeserver/store"
	"hearth/matrix"
)

// The limits of a profile, in bytes.
// spec: client-server-api#profiles
const (
	maxProfile      = 64<<10 - 1
	maxProfileField = 255  // the name of a field
	maxText         = 1000 // the display name, avatar or time zone: the first two are copied into every room
)

// Profile is what a user shows of itself.
type Profile struct {
	DisplayName string // "" if none
	AvatarURL   string // mxc://, "" if none
	JSON        []byte // all fields, as a JSON object
}

func newProfile(obj []byte) Profile {
	p := Profile{JSON: obj}
	p.DisplayName, _ = matrix.StringField(obj, "displayname")
	p.AvatarURL, _ = matrix.StringField(obj, "avatar_url")
	return p
}

// Empty reports whether the profile has no field.
func (p Profile) Empty() bool {
	_, _, _, some := matrix.Member(p.JSON, 0)
	return !some
}

// Field returns the JSON value of a field, nil if the profile lacks it.
func (p Profile) Field(name string) []byte {
	raw, _ := matrix.Field(p.JSON, name)
	return raw
}

// Profile returns a user's profile, which is empty for a user who set nothing, and for one who does not exist.
func (a *Accounts) Profile(ctx context.Context, user matrix.UserID) (Profile, error) {
	if !a.local(user) {
		return Profile{JSON: []byte("{}")}, nil
	}
	row, err := a.store.Row(ctx, tableProfiles, []byte(user))
	if err != nil {
		return Profile{}, fmt.Errorf("reading the profile of %s: %w", user, err)
	}
	if row == nil {
		row = []byte("{}")
	}
	return newProfile(row), nil
}

// SetProfileField sets a field of the user's profile to a JSON value, removes it if value is nil, and returns the
// profile as it is then. An empty display name or avatar is none. What also adds to the change, which is at a position
// of the log, is durable with it.
//
// Errors, all 400: M_KEY_TOO_LARGE, M_INVALID_PARAM for a name or value that the field cannot have, M_BAD_JSON,
// M_PROFILE_TOO_LARGE. And M_USER_DEACTIVATED (403).
// spec: client-server-api#put_matrixclientv3profileuseridkeyname
func (a *Accounts) SetProfileField(ctx context.Context, user matrix.UserID, name string, value []byte, also ...func(*store.Tx, store.Pos)) (Profile, error) {
	value, err := checkField(name, value)
	if err != nil {
		return Profile{}, err
	}
	unlock, err := a.lock(ctx, user)
	if err != nil {
		return Profile{}, err
	}
	defer unlock()
	u, err := a.User(ctx, user)
	if err != nil {
		return Profile{}, err
	}
	if u != nil && u.Deactivated {
		return Profile{}, u.refusal()
	}
	p, err := a.Profile(ctx, user)
	if err != nil {
		return Profile{}, err
	}
	obj, err := replaceField(p.JSON, name, value)
	if err != nil {
		return Profile{}, err
	}
	if len(obj) > maxProfile {
		return Profile{}, matrix.Errorf(http.StatusBadRequest, matrix.MProfileTooLarge, "A profile must be smaller than 64 KiB")
	}
	_, err = a.apply(ctx, func(tx *store.Tx) {
		tx.Set(tableProfiles, []byte(user), obj)
		pos := tx.Note(store.Note{Kind: store.KindProfile, User: user})
		for _, add := range also {
			add(tx, pos)
		}
	})
	if err != nil {
		return Profile{}, fmt.Errorf("writing the profile of %s: %w", user, err)
	}
	return newProfile(obj), nil
}

// checkField returns what is to be stored of a value, nil for nothing.
func checkField(name string, value []byte) ([]byte, error) {
	if err := CheckFieldName(name); err != nil || value == nil {
		return nil, err
	}
	switch name {
	case "displayname", "avatar_url", "m.tz":
	default:
		return value, nil
	}
	s, ok := matrix.String(value)
	if !ok {
		return nil, matrix.Errorf(http.StatusBadRequest, matrix.MBadJSON, "%q must be a string", name)
	}
	if s == "" {
		return nil, nil
	}
	if len(s) > maxText {
		return nil, matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "%q has at most %d bytes", name, maxText)
	}
	if name == "avatar_url" && !isMXC(s) {
		return nil, matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "\"avatar_url\" must be an mxc:// URI")
	}
	return value, nil
}

// CheckFieldName refuses names that no field of a profile has. Errors: M_KEY_TOO_LARGE, M_INVALID_PARAM (both 400).
func CheckFieldName(name string) error {
	switch {
	case len(name) > maxProfileField:
		return matrix.Errorf(http.StatusBadRequest, matrix.MKeyTooLarge, "The name of a field has at most %d bytes", maxProfileField)
	case name == "displayname", name == "avatar_url", isNamespaced(name):
		return nil
	}
	return matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "A field is displayname, avatar_url or a namespaced name such as m.tz")
}

// isNamespaced reports whether name is made as the common grammar says and has a namespace.
// spec: appendices#common-namespaced-identifier-grammar
func isNamespaced(name string) bool {
	for i := range len(name) {
		switch c := name[i]; {
		case 'a' <= c && c <= 'z':
		case i > 0 && ('0' <= c && c <= '9' || c == '-' || c == '_' || c == '.'):
		default:
			return false
		}
	}
	return strings.Contains(name, ".")
}

// isMXC reports whether s names a file by its server and id.
// spec: client-server-api#matrix-content-mxc-uris
func isMXC(s string) bool {
	rest, ok := strings.CutPrefix(s, "mxc://")
	server, id, _ := strings.Cut(rest, "/")
	_, err := matrix.ParseServerName(server)
	return ok && err == nil && id != "" && !strings.Contains(id, "/")
}

// replaceField returns obj, a canonical object, with the member name set, or without it if value is nil.
func replaceField(obj []byte, name string, value []byte) ([]byte, error) {
	fields := make(map[string]json.RawMessage)
	if err := json.Unmarshal(obj, &fields); err != nil {
		return nil, fmt.Errorf("reading a profile: %w", err)
	}
	delete(fields, name)
	if value != nil {
		fields[name] = value
	}
	out := []byte{'{'}
	for k, v := range fields {
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(matrix.AppendString(out, k), ':'), v...)
	}
	canonical, err := matrix.CanonicalLoose(append(out, '}'))
	if err != nil {
		return nil, matrix.Errorf(http.StatusBadRequest, matrix.MBadJSON, "The value is not valid: %s", err)
	}
	return canonical, nil
}

func displayNameOnly(name string) []byte {
	return append(matrix.AppendString([]byte(`{"displayname":`), name), '}')
}
