package wire

import (
	"errors"
	"fmt"
	"strings"

	"hearth/matrix"
)

// maxAuthorization bounds the header that ParseAuthorization reads, in bytes:
// two server names of 255, a key id and a signature fit several times.
const maxAuthorization = 4096

// Authorization is what an X-Matrix header says.
//
// spec: server-server-api#request-authentication
type Authorization struct {
	Origin      matrix.ServerName
	Destination matrix.ServerName // "" from servers older than v1.3
	Key         matrix.KeyID
	Signature   string // unpadded Base64
}

// String returns the header's value in the form that every server understands:
// one space, lower-case names, quotes, no space around commas.
func (a Authorization) String() string {
	var b strings.Builder
	b.WriteString(`X-Matrix origin="` + string(a.Origin) + `"`)
	if a.Destination != "" {
		b.WriteString(`,destination="` + string(a.Destination) + `"`)
	}
	b.WriteString(`,key="` + string(a.Key) + `",sig="` + a.Signature + `"`)
	return b.String()
}

// ParseAuthorization reads an X-Matrix header's value. The parts have the form
// of server names, a key id and Base64; nothing is verified yet.
//
// spec: server-server-api#request-authentication, RFC 9110 §11.4
func ParseAuthorization(header string) (Authorization, error) {
	a, err := parseAuthorization(header)
	if err != nil {
		return Authorization{}, fmt.Errorf("reading an Authorization header: %w", err)
	}
	return a, nil
}

func parseAuthorization(header string) (Authorization, error) {
	if len(header) > maxAuthorization {
		return Authorization{}, fmt.Errorf("longer than %d bytes", maxAuthorization)
	}
	scheme, rest, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "X-Matrix") {
		return Authorization{}, errors.New("the scheme is not X-Matrix")
	}
	params, err := parseParams(rest)
	if err != nil {
		return Authorization{}, err
	}
	a := Authorization{
		Origin:      matrix.ServerName(params["origin"]),
		Destination: matrix.ServerName(params["destination"]),
		Key:         matrix.KeyID(params["key"]),
		// The list of parameters calls it "signature", the examples and all servers "sig".
		Signature: params["sig"] + params["signature"],
	}
	return a, a.check(params)
}

// check says whether every part has its form.
func (a Authorization) check(params map[string]string) error {
	if _, err := matrix.ParseServerName(string(a.Origin)); err != nil {
		return fmt.Errorf("origin: %w", err)
	}
	if _, given := params["destination"]; given {
		if _, err := matrix.ParseServerName(string(a.Destination)); err != nil {
			return fmt.Errorf("destination: %w", err)
		}
	}
	if err := checkKeyID(a.Key); err != nil {
		return err
	}
	if sig, err := matrix.DecodeBase64(a.Signature); err != nil || len(sig) != 64 {
		return errors.New("sig is not the Base64 of 64 bytes")
	}
	return nil
}

// checkKeyID says whether k is an algorithm and an identifier of letters,
// digits and underscores.
//
// spec: appendices#signing-details
func checkKeyID(k matrix.KeyID) error {
	algorithm, id, ok := strings.Cut(string(k), ":")
	if !ok || algorithm != "ed25519" || id == "" || len(id) > 255 {
		return errors.New("key is not the id of an Ed25519 key")
	}
	for _, c := range []byte(id) {
		if !isAlphanumeric(c) && c != '_' {
			return errors.New("key is not the id of an Ed25519 key")
		}
	}
	return nil
}

// parseParams reads the comma-separated name=value pairs. Names come out in
// lower case. Empty list elements are skipped (RFC 9110 §5.6.1.2), a name that
// occurs twice is an error.
func parseParams(s string) (map[string]string, error) {
	params := make(map[string]string, 4)
	for {
		s = strings.TrimLeft(s, " \t,")
		if s == "" {
			return params, nil
		}
		var name, value string
		var err error
		name, s = cutToken(s, false)
		s = strings.TrimLeft(s, " \t")
		if name == "" || !strings.HasPrefix(s, "=") {
			return nil, errors.New("a parameter is not of the form name=value")
		}
		if value, s, err = cutValue(strings.TrimLeft(s[1:], " \t")); err != nil {
			return nil, err
		}
		name = strings.ToLower(name)
		if _, twice := params[name]; twice {
			return nil, fmt.Errorf("parameter %s occurs twice", name)
		}
		params[name] = value
		if s = strings.TrimLeft(s, " \t"); s != "" && s[0] != ',' {
			return nil, fmt.Errorf("no comma after parameter %s", name)
		}
	}
}

// cutValue splits s after its first value, quoted or a token.
func cutValue(s string) (value, rest string, err error) {
	if !strings.HasPrefix(s, `"`) {
		if value, rest = cutToken(s, true); value == "" {
			return "", "", errors.New("a parameter has no value")
		}
		return value, rest, nil
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:], nil
		case '\\':
			if i++; i == len(s) {
				return "", "", errors.New("a quoted value does not end")
			}
		}
		b.WriteByte(s[i])
	}
	return "", "", errors.New("a quoted value does not end")
}

// cutToken splits s after its leading token; with colons, which old servers
// leave without quotes, and the characters of Base64 as part of it if value.
func cutToken(s string, value bool) (token, rest string) {
	i := 0
	for i < len(s) && (isTokenChar(s[i]) || value && strings.IndexByte(":/=", s[i]) >= 0) {
		i++
	}
	return s[:i], s[i:]
}

// RFC 9110 §5.6.2
func isTokenChar(c byte) bool {
	return isAlphanumeric(c) || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

func isAlphanumeric(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}
