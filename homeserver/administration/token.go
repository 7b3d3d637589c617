package administration

import (
	"net/http"
	"time"

	"hearth/homeserver/account"
	"hearth/matrix/wire"
)

func (a *Administration) tokenRoutes(m *wire.Mux) {
	m.Handle("GET /admin/v1/tokens", a.getTokens)
	m.Handle("POST /admin/v1/tokens", a.postToken)
	m.Handle("PUT /admin/v1/tokens/{token}", a.putToken)
	m.Handle("DELETE /admin/v1/tokens/{token}", a.deleteToken)
}

// Token is a registration token.
type Token struct {
	Token     string `json:"token"`
	Uses      *int64 `json:"uses"` // how many may register with it; null for any number
	Pending   int64  `json:"pending"`
	Completed int64  `json:"completed"`
	Expires   int64  `json:"expires"` // 0 if it does not
}

// Tokens are all registration tokens.
type Tokens struct {
	Tokens []Token `json:"tokens"`
}

// TokenChange is what of a token is to change.
type TokenChange struct {
	Uses    *int64 `json:"uses,omitempty"` // -1 for any number
	Expires *int64 `json:"expires,omitempty"`
}

func describeToken(t *account.RegistrationToken) Token {
	out := Token{Token: t.Token, Pending: t.Pending, Completed: t.Completed, Expires: millis(t.Expires)}
	if t.Uses != account.AnyUses {
		out.Uses = &t.Uses
	}
	return out
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

func (a *Administration) getTokens(w http.ResponseWriter, r *http.Request) error {
	out := Tokens{Tokens: []Token{}}
	for t, err := range a.Accounts.RegistrationTokens(r.Context()) {
		if err != nil {
			return err
		}
		out.Tokens = append(out.Tokens, describeToken(t))
	}
	return wire.Answer(w, out)
}

func (a *Administration) postToken(w http.ResponseWriter, r *http.Request) error {
	var q Token
	if err := wire.ReadOptional(w, r, maxBody, &q); err != nil {
		return err
	}
	t := account.RegistrationToken{Token: q.Token, Uses: account.AnyUses, Expires: fromMillis(q.Expires)}
	if q.Uses != nil {
		t.Uses = *q.Uses
	}
	made, err := a.Accounts.CreateRegistrationToken(r.Context(), t)
	if err != nil {
		return err
	}
	return wire.Answer(w, describeToken(made))
}

func (a *Administration) putToken(w http.ResponseWriter, r *http.Request) error {
	var q TokenChange
	if err := wire.Read(w, r, maxBody, &q); err != nil {
		return err
	}
	changed, err := a.Accounts.ChangeRegistrationToken(r.Context(), r.PathValue("token"), func(t *account.RegistrationToken) {
		if q.Uses != nil {
			t.Uses = *q.Uses
		}
		if q.Expires != nil {
			t.Expires = fromMillis(*q.Expires)
		}
	})
	if err != nil {
		return err
	}
	return wire.Answer(w, describeToken(changed))
}

func (a *Administration) deleteToken(w http.ResponseWriter, r *http.Request) error {
	if err := a.Accounts.DeleteRegistrationToken(r.Context(), r.PathValue("token")); err != nil {
		return err
	}
	return wire.Empty(w)
}
