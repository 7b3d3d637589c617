package wire

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"hearth/matrix"
)

// A Request is what a server signs when it calls another.
type Request struct {
	Method      string
	URI         string // as on the request line: path and query, escaped
	Origin      matrix.ServerName
	Destination matrix.ServerName
	Content     []byte // the JSON body; nil if there is none
}

// Sign returns the Authorization header of a request. The error says that the
// content is no valid JSON.
//
// spec: server-server-api#request-authentication
func Sign(r Request, key matrix.KeyID, private ed25519.PrivateKey) (string, error) {
	signed, err := r.signed(r.Destination)
	if err != nil {
		return "", fmt.Errorf("signing a request to %s: %w", r.Destination, err)
	}
	return Authorization{
		Origin:      r.Origin,
		Destination: r.Destination,
		Key:         key,
		Signature:   matrix.Base64(ed25519.Sign(private, signed)),
	}.String(), nil
}

// signed returns the canonical JSON that is signed.
func (r Request) signed(destination matrix.ServerName) ([]byte, error) {
	b := make([]byte, 0, len(r.Content)+len(r.URI)+256)
	b = append(b, '{')
	if r.Content != nil {
		content, err := matrix.CanonicalLoose(r.Content)
		if err != nil {
			return nil, fmt.Errorf("making its content canonical: %w", err)
		}
		b = append(b, `"content":`...)
		b = append(append(b, content...), ',')
	}
	if destination != "" {
		b = append(b, `"destination":`...)
		b = append(matrix.AppendString(b, string(destination)), ',')
	}
	b = matrix.AppendString(append(b, `"method":`...), r.Method)
	b = matrix.AppendString(append(b, `,"origin":`...), string(r.Origin))
	b = matrix.AppendString(append(b, `,"uri":`...), r.URI)
	return append(b, '}'), nil
}

// Verify says whether the header a belongs to the request r, of which
// r.Destination is the name of this server, and public is the origin's key
// with the id a.Key. The error is M_UNAUTHORIZED (401), or another for content
// that is not JSON.
//
// spec: server-server-api#request-authentication
func (a Authorization) Verify(r Request, public ed25519.PublicKey) error {
	if a.Destination != "" && a.Destination != r.Destination {
		return unauthorized("The request is meant for another server")
	}
	r.Origin = a.Origin
	signed, err := r.signed(a.Destination)
	if err != nil {
		return matrix.Errorf(http.StatusBadRequest, matrix.MNotJSON, "The request's body is not valid JSON")
	}
	sig, err := matrix.DecodeBase64(a.Signature)
	if err != nil || len(public) != ed25519.PublicKeySize || !ed25519.Verify(public, signed, sig) {
		return unauthorized("The request's signature is not valid")
	}
	return nil
}

// RequestAuthorization returns what the first X-Matrix header of r says. The
// error is M_UNAUTHORIZED (401), also when there is none.
func RequestAuthorization(r *http.Request) (Authorization, error) {
	for _, header := range r.Header["Authorization"] {
		if scheme, _, _ := strings.Cut(header, " "); !strings.EqualFold(scheme, "X-Matrix") {
			continue
		}
		a, err := ParseAuthorization(header)
		if err != nil {
			return Authorization{}, unauthorized("The Authorization header is malformed: " + rootCause(err).Error())
		}
		return a, nil
	}
	return Authorization{}, unauthorized("The request is not signed")
}

func rootCause(err error) error {
	for {
		cause := errors.Unwrap(err)
		if cause == nil {
			return err
		}
		err = cause
	}
}

func unauthorized(message string) error {
	return matrix.Errorf(http.StatusUnauthorized, matrix.MUnauthorized, "%s", message)
}
