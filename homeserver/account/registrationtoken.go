package account

import (
	"context"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"iter"
	"math"
	"net/http"
	"strings"
	"time"

	"hearth/homeserver/store"
	"hearth/matrix"
	"hearth/storage/blob"
)

// MaxRegistrationToken is the greatest length of a registration token in bytes.
// spec: client-server-api#token-authenticated-registration
const MaxRegistrationToken = 64

// AnyUses stands for uses without limit.
const AnyUses = -1

// RegistrationToken lets people register who were given it.
type RegistrationToken struct {
	Token     string
	Uses      int64     // how many may register with it, or AnyUses
	Pending   int64     // how many are registering with it; not kept over a restart, as their sessions are not
	Completed int64     // how many have
	Expires   time.Time // the zero time if it does not
}

// Valid reports whether one more may begin to register with the token.
func (t *RegistrationToken) Valid(now time.Time) bool {
	return t.alive(now) && (t.Uses == AnyUses || t.Pending+t.Completed < t.Uses)
}

func (t *RegistrationToken) alive(now time.Time) bool {
	return t.Expires.IsZero() || now.Before(t.Expires)
}

// The flags of a registration token's record.
const (
	flagLimited = 1 << iota
	flagExpires
)

func appendRegistrationToken(dst []byte, t *RegistrationToken) []byte {
	var flags byte
	var uses uint64
	expires := time.UnixMilli(0)
	if t.Uses != AnyUses {
		flags, uses = flags|flagLimited, uint64(t.Uses)
	}
	if !t.Expires.IsZero() {
		flags, expires = flags|flagExpires, t.Expires
	}
	dst = binary.AppendUvarint(append(dst, flags), uses)
	return appendTime(binary.AppendUvarint(dst, uint64(t.Completed)), expires)
}

func readRegistrationToken(token string, data []byte) (*RegistrationToken, error) {
	r := reader{data: data}
	flags, uses, completed, expires := r.byte(), r.uvarint(), r.uvarint(), r.time()
	t := &RegistrationToken{Token: token, Uses: AnyUses, Completed: int64(completed)}
	if flags&flagLimited != 0 {
		t.Uses = int64(uses)
	}
	if flags&flagExpires != 0 {
		t.Expires = expires
	}
	err := r.end()
	if err == nil && (uses > math.MaxInt64 || completed > math.MaxInt64) {
		err = errMalformed
	}
	if err != nil {
		return nil, fmt.Errorf("reading a registration token: %w", err)
	}
	return t, nil
}

// isOpaque reports whether s is an opaque identifier that a registration token can be.
// spec: appendices#opaque-identifiers
func isOpaque(s string) bool {
	strange := func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-._~", r))
	}
	return s != "" && len(s) <= MaxRegistrationToken && !strings.ContainsFunc(s, strange)
}

// check refuses what no registration token can be.
func (t *RegistrationToken) check() error {
	switch {
	case !isOpaque(t.Token):
		return matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "A registration token has 1 to %d of the characters A-Z, a-z, 0-9 and -._~", MaxRegistrationToken)
	case t.Uses < 0 && t.Uses != AnyUses:
		return matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "A registration token cannot be used fewer than 0 times")
	}
	return nil
}

// RegistrationToken returns a registration token, nil if there is none of that name.
func (a *Accounts) RegistrationToken(ctx context.Context, token string) (*RegistrationToken, error) {
	if !isOpaque(token) {
		return nil, nil
	}
	row, err := a.store.Row(ctx, tableInvitations, []byte(token))
	if err != nil {
		return nil, fmt.Errorf("reading a registration token: %w", err)
	}
	if row == nil {
		return nil, nil
	}
	t, err := readRegistrationToken(token, row)
	if err != nil {
		return nil, err
	}
	t.Pending = a.invitations.pending(token, "", a.now())
	return t, nil
}

// RegistrationTokens yields all registration tokens, valid or not, in their order.
func (a *Accounts) RegistrationTokens(ctx context.Context) iter.Seq2[*RegistrationToken, error] {
	return func(yield func(*RegistrationToken, error) bool) {
		for row, err := range a.store.Scan(ctx, blob.Range{Table: tableInvitations}) {
			if err != nil {
				yield(nil, fmt.Errorf("reading registration tokens: %w", err))
				return
			}
			t, err := readRegistrationToken(string(row.Key), row.Value)
			if err == nil {
				t.Pending = a.invitations.pending(t.Token, "", a.now())
			}
			if !yield(t, err) || err != nil {
				return
			}
		}
	}
}

// CreateRegistrationToken makes a registration token of t's name, a random one if that is "", with its uses and
// expiry, and returns it.
//
// Errors: M_INVALID_PARAM (400), also if there is one of that name.
func (a *Accounts) CreateRegistrationToken(ctx context.Context, t RegistrationToken) (*RegistrationToken, error) {
	t.Pending, t.Completed = 0, 0
	if t.Token == "" {
		b, err := a.random(10)
		if err != nil {
			return nil, err
		}
		t.Token = base32.StdEncoding.EncodeToString(b)
	}
	if err := t.check(); err != nil {
		return nil, err
	}
	end, err := a.invitations.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	old, err := a.RegistrationToken(ctx, t.Token)
	if err != nil {
		return nil, err
	}
	if old != nil {
		return nil, matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "There is such a registration token already")
	}
	return &t, a.putRegistrationToken(ctx, &t)
}

// ChangeRegistrationToken lets change set the uses and the expiry of a registration token, and returns it as it is
// then. Errors: M_NOT_FOUND (404), M_INVALID_PARAM (400).
func (a *Accounts) ChangeRegistrationToken(ctx context.Context, token string, change func(*RegistrationToken)) (*RegistrationToken, error) {
	end, err := a.invitations.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	t, err := a.RegistrationToken(ctx, token)
	if err != nil {
		return nil, err
	}
	if t == nil {
		return nil, errNoRegistrationToken()
	}
	changed := *t
	change(&changed)
	t.Uses, t.Expires = changed.Uses, changed.Expires
	if err := t.check(); err != nil {
		return nil, err
	}
	return t, a.putRegistrationToken(ctx, t)
}

// DeleteRegistrationToken removes a registration token. Who has begun to register with it cannot finish.
// Error: M_NOT_FOUND (404).
func (a *Accounts) DeleteRegistrationToken(ctx context.Context, token string) error {
	end, err := a.invitations.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	t, err := a.RegistrationToken(ctx, token)
	if err != nil {
		return err
	}
	if t == nil {
		return errNoRegistrationToken()
	}
	if _, err := a.apply(ctx, func(tx *store.Tx) { tx.Delete(tableInvitations, []byte(token)) }); err != nil {
		return fmt.Errorf("removing a registration token: %w", err)
	}
	return nil
}

func errNoRegistrationToken() error {
	return matrix.Errorf(http.StatusNotFound, matrix.MNotFound, "There is no such registration token")
}

func (a *Accounts) putRegistrationToken(ctx context.Context, t *RegistrationToken) error {
	_, err := a.apply(ctx, func(tx *store.Tx) { tx.Set(tableInvitations, []byte(t.Token), appendRegistrationToken(nil, t)) })
	if err != nil {
		return fmt.Errorf("writing a registration token: %w", err)
	}
	return nil
}
