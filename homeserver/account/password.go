package account

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/argon2"

	"hearth/homeserver/store"
	"hearth/matrix"
)

// MaxPassword is the greatest length of a password in bytes.
const MaxPassword = 512

const (
	saltSize = 16
	hashSize = 32
)

// Cost is what checking one password takes by Argon2id.
type Cost struct {
	Memory  uint32 // KiB
	Time    uint32 // passes over the memory
	Threads uint8
}

// DefaultCost is the second of the equivalent settings that OWASP's password storage cheat sheet recommends: 19 MiB,
// two passes, one thread.
func DefaultCost() Cost { return Cost{Memory: 19 << 10, Time: 2, Threads: 1} }

// maxCost bounds what a stored password may ask for.
const maxCostMemory, maxCostTime, maxCostThreads = 256 << 10, 64, 16

// hasher computes Argon2id, at most two at once so that their memory is bounded.
//
// Left alone, the runtime would keep what a burst of passwords took: 90 MiB resident after 160 of them, for minutes.
// So it is asked to give memory back once no password has been hashed for a second.
type hasher struct {
	cost  Cost
	turns chan struct{}
	decoy string      // what is checked when there is no password to check
	quiet *time.Timer // started by each hash, gives memory back
}

// quietAfter is how long after the last hash memory is given back, and largeCost, in KiB, what is worth it.
const quietAfter, largeCost = time.Second, 1 << 10

func newHasher(c Cost) hasher {
	h := hasher{cost: c, turns: make(chan struct{}, 2), quiet: time.AfterFunc(quietAfter, debug.FreeOSMemory)}
	h.quiet.Stop()
	h.decoy = formatPassword(c, make([]byte, saltSize), make([]byte, hashSize))
	return h
}

func (h *hasher) sum(ctx context.Context, password string, salt []byte, c Cost) ([]byte, error) {
	select {
	case h.turns <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-h.turns }()
	if c.Memory >= largeCost {
		defer h.quiet.Reset(quietAfter)
	}
	return argon2.IDKey([]byte(password), salt, c.Time, c.Memory, c.Threads, hashSize), nil
}

func formatPassword(c Cost, salt, sum []byte) string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, c.Memory, c.Time, c.Threads,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(sum))
}

var errPasswordFormat = errors.New("unknown format of a stored password")

// parsePassword reads what formatPassword writes, whatever the cost within bounds.
func parsePassword(s string) (c Cost, salt, sum []byte, err error) {
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != "v="+strconv.Itoa(argon2.Version) {
		return c, nil, nil, errPasswordFormat
	}
	costs := strings.Split(parts[3], ",")
	if len(costs) != 3 {
		return c, nil, nil, errPasswordFormat
	}
	m, okM := parameter(costs[0], "m=", maxCostMemory)
	t, okT := parameter(costs[1], "t=", maxCostTime)
	p, okP := parameter(costs[2], "p=", maxCostThreads)
	salt, errSalt := base64.RawStdEncoding.Strict().DecodeString(parts[4])
	sum, errSum := base64.RawStdEncoding.Strict().DecodeString(parts[5])
	if !okM || !okT || !okP || errSalt != nil || errSum != nil || len(sum) != hashSize {
		return c, nil, nil, errPasswordFormat
	}
	return Cost{uint32(m), uint32(t), uint8(p)}, salt, sum, nil
}

func parameter(s, prefix string, most uint64) (uint64, bool) {
	digits, ok := strings.CutPrefix(s, prefix)
	n, err := strconv.ParseUint(digits, 10, 32)
	return n, ok && err == nil && n > 0 && n <= most
}

// CheckNewPassword refuses passwords that nobody should have. Errors: M_WEAK_PASSWORD for an empty one,
// M_INVALID_PARAM for one that is too long (both 400).
func CheckNewPassword(password string) error {
	switch {
	case password == "":
		return matrix.Errorf(http.StatusBadRequest, matrix.MWeakPassword, "A password cannot be empty")
	case len(password) > MaxPassword:
		return matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "A password has at most %d bytes", MaxPassword)
	}
	return nil
}

// hash returns what is stored of a password.
func (a *Accounts) hash(ctx context.Context, password string) (string, error) {
	if err := CheckNewPassword(password); err != nil {
		return "", err
	}
	salt, err := a.random(saltSize)
	if err != nil {
		return "", err
	}
	sum, err := a.hasher.sum(ctx, password, salt, a.hasher.cost)
	if err != nil {
		return "", err
	}
	return formatPassword(a.hasher.cost, salt, sum), nil
}

// CheckPassword returns nil if the user may log in with the password. Whether the user exists, and has a password,
// cannot be told from the answer or the time it takes.
//
// Errors: M_FORBIDDEN (403); given the right password, M_USER_DEACTIVATED (403) and M_USER_LOCKED (401).
func (a *Accounts) CheckPassword(ctx context.Context, id matrix.UserID, password string) error {
	u, err := a.User(ctx, id)
	if err != nil {
		return err
	}
	stored := a.hasher.decoy
	if u != nil && u.password != "" {
		stored = u.password
	}
	cost, salt, want, err := parsePassword(stored)
	if err != nil {
		return fmt.Errorf("checking the password of %s: %w", id, err)
	}
	sum, err := a.hasher.sum(ctx, password[:min(len(password), MaxPassword+1)], salt, cost)
	if err != nil {
		return err
	}
	right := subtle.ConstantTimeCompare(sum, want) == 1
	if !right || u == nil || u.password == "" {
		return matrix.Errorf(http.StatusForbidden, matrix.MForbidden, "Unknown user or wrong password")
	}
	return u.refusal()
}

// refusal returns why the user may not use the API, nil if nothing speaks against it.
func (u *User) refusal() error {
	switch {
	case u.Deactivated:
		return matrix.Errorf(http.StatusForbidden, matrix.MUserDeactivated, "This account has been deactivated")
	case u.Locked:
		return errLocked()
	}
	return nil
}

// spec: client-server-api#account-locking
func errLocked() error {
	return matrix.Errorf(http.StatusUnauthorized, matrix.MUserLocked, "This account has been locked").With("soft_logout", true)
}

// HasPassword reports whether the user can log in by password.
func (a *Accounts) HasPassword(ctx context.Context, id matrix.UserID) (bool, error) {
	u, err := a.User(ctx, id)
	return u != nil && u.password != "", err
}

// SetPassword replaces a user's password; "" means that nobody can log in by password. Sessions go on.
//
// Errors: M_NOT_FOUND (404), M_INVALID_PARAM (400) for a password that is too long.
func (a *Accounts) SetPassword(ctx context.Context, id matrix.UserID, password string) error {
	stored := ""
	if password != "" {
		var err error
		if stored, err = a.hash(ctx, password); err != nil {
			return err
		}
	}
	return a.edit(ctx, id, func(u *User) { u.password = stored })
}

// ChangePassword is SetPassword by the user, who keeps only the device given: the others are removed in the same
// change, and their ids returned.
//
// Errors: M_NOT_FOUND (404), M_WEAK_PASSWORD, M_INVALID_PARAM (400).
// spec: client-server-api#post_matrixclientv3accountpassword
func (a *Accounts) ChangePassword(ctx context.Context, id matrix.UserID, password, keep string) ([]string, error) {
	stored, err := a.hash(ctx, password)
	if err != nil {
		return nil, err
	}
	unlock, err := a.lock(ctx, id)
	if err != nil {
		return nil, err
	}
	defer unlock()
	u, err := a.User(ctx, id)
	if err != nil {
		return nil, err
	}
	if u == nil {
		return nil, matrix.Errorf(http.StatusNotFound, matrix.MNotFound, "There is no user %s", id)
	}
	devices, err := a.otherDevices(ctx, id, keep)
	if err != nil {
		return nil, err
	}
	u.password = stored
	a.sessions.removeUser(id)
	_, err = a.apply(ctx, func(tx *store.Tx) {
		tx.Set(tableUsers, []byte(id), appendUser(nil, u))
		deleteDevices(tx, id, devices)
	})
	if err != nil {
		return nil, fmt.Errorf("changing the password of %s: %w", id, err)
	}
	return idsOf(devices), nil
}

// edit changes a user's record.
func (a *Accounts) edit(ctx context.Context, id matrix.UserID, change func(*User)) error {
	unlock, err := a.lock(ctx, id)
	if err != nil {
		return err
	}
	defer unlock()
	u, err := a.User(ctx, id)
	if err != nil {
		return err
	}
	if u == nil {
		return matrix.Errorf(http.StatusNotFound, matrix.MNotFound, "There is no user %s", id)
	}
	change(u)
	a.sessions.removeUser(id)
	_, err = a.apply(ctx, func(tx *store.Tx) { tx.Set(tableUsers, []byte(id), appendUser(nil, u)) })
	if err != nil {
		return fmt.Errorf("writing user %s: %w", id, err)
	}
	return nil
}
