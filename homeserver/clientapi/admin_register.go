package clientapi

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"time"

	"hearth/homeserver/account"
	"hearth/matrix"
	"hearth/matrix/wire"
)

// adminRegisterRoutes serves registration by a shared secret as Synapse defines it, which many tools use:
// the client asks for a nonce and shows by an HMAC-SHA1 over it and the account's data that it knows the secret.
//
//	mac = HMAC-SHA1(secret, nonce 0x00 username 0x00 password 0x00 ("admin" or "notadmin") [0x00 user_type])
func (a *API) adminRegisterRoutes(m *wire.Mux) {
	nonces := new(nonces)
	m.Handle("GET /_synapse/admin/v1/register", func(w http.ResponseWriter, _ *http.Request) error {
		if err := a.secretIsSet(); err != nil {
			return err
		}
		return wire.Answer(w, map[string]string{"nonce": nonces.issue(a.Now())})
	})
	m.Handle("POST /_synapse/admin/v1/register", func(w http.ResponseWriter, r *http.Request) error {
		if err := a.secretIsSet(); err != nil {
			return err
		}
		return a.adminRegister(w, r, nonces)
	})
}

func (a *API) secretIsSet() error {
	if a.Settings.RegistrationSecret == "" {
		return matrix.Errorf(http.StatusBadRequest, matrix.MUnknown, "Shared secret registration is not enabled")
	}
	return nil
}

// adminRegistration is the body of a request for an account by shared secret.
type adminRegistration struct {
	Nonce        *string         `json:"nonce"`
	Username     *string         `json:"username"`
	Password     *string         `json:"password"`
	MAC          *string         `json:"mac"`
	Admin        json.RawMessage `json:"admin"` // anything; what is true for Python makes an administrator
	UserType     string          `json:"user_type"`
	DisplayName  string          `json:"displayname"`
	InhibitLogin bool            `json:"inhibit_login"`
	newDevice
}

func (a *API) adminRegister(w http.ResponseWriter, r *http.Request, nonces *nonces) error {
	var in adminRegistration
	if err := wire.Read(w, r, maxBody, &in); err != nil {
		return err
	}
	if in.Nonce == nil {
		return matrix.Errorf(http.StatusBadRequest, matrix.MBadJSON, "nonce must be specified")
	}
	if !nonces.redeem(*in.Nonce, a.Now()) {
		return matrix.Errorf(http.StatusBadRequest, matrix.MUnknown, "unrecognised nonce")
	}
	if err := in.check(); err != nil {
		return err
	}
	if !hmac.Equal([]byte(in.mac(a.Settings.RegistrationSecret)), []byte(*in.MAC)) {
		return matrix.Errorf(http.StatusForbidden, matrix.MUnknown, "HMAC incorrect")
	}
	user, err := a.Accounts.Create(r.Context(), *in.Username, *in.Password, account.NewUser{
		Admin: in.isAdmin(), Kind: in.UserType, DisplayName: in.DisplayName,
	})
	if err != nil {
		return err
	}
	return a.registered(w, r, user, in.newDevice, in.InhibitLogin)
}

func (in *adminRegistration) check() error {
	for _, field := range []struct {
		name  string
		value *string
		mac   bool
	}{{"username", in.Username, false}, {"password", in.Password, false}, {"mac", in.MAC, true}} {
		switch {
		case field.value == nil:
			return matrix.Errorf(http.StatusBadRequest, matrix.MBadJSON, "%s must be specified", field.name)
		case !field.mac && (*field.value == "" || len(*field.value) > 512 || strings.Contains(*field.value, "\x00")):
			return matrix.Errorf(http.StatusBadRequest, matrix.MUnknown, "Invalid %s", field.name)
		}
	}
	switch in.UserType {
	case "", "bot", "support":
	default:
		return matrix.Errorf(http.StatusBadRequest, matrix.MUnknown, "Invalid user type")
	}
	return account.CheckDeviceID(in.DeviceID)
}

func (in *adminRegistration) isAdmin() bool {
	switch strings.TrimSpace(string(in.Admin)) {
	case "", "null", "false", "0", "\"\"", "[]", "{}":
		return false
	}
	return true
}

// mac returns the HMAC in lower-case hexadecimal digits.
func (in *adminRegistration) mac(secret string) string {
	rights := "notadmin"
	if in.isAdmin() {
		rights = "admin"
	}
	parts := []string{*in.Nonce, *in.Username, *in.Password, rights}
	if in.UserType != "" {
		parts = append(parts, in.UserType)
	}
	h := hmac.New(sha1.New, []byte(secret))
	h.Write([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(h.Sum(nil))
}

const (
	nonceLifetime = time.Minute
	maxNonces     = 1000
)

// nonces remembers those that were issued and not used. Each is good for one request. The zero value is ready for use.
type nonces struct {
	mu     sync.Mutex    // guards issued
	issued []issuedNonce // by age
}

type issuedNonce struct {
	value   string
	expires time.Time
}

func (n *nonces) issue(now time.Time) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.expire(now)
	if len(n.issued) >= maxNonces {
		n.issued = n.issued[1:]
	}
	value := rand.Text()
	n.issued = append(n.issued, issuedNonce{value, now.Add(nonceLifetime)})
	return value
}

// redeem reports whether a nonce was good; it is not any more.
func (n *nonces) redeem(value string, now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.expire(now)
	for i := range n.issued {
		if n.issued[i].value == value {
			n.issued = append(n.issued[:i:i], n.issued[i+1:]...)
			return true
		}
	}
	return false
}

func (n *nonces) expire(now time.Time) {
	for len(n.issued) > 0 && now.After(n.issued[0].expires) {
		n.issued = n.issued[1:]
	}
}
