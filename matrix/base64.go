package matrix

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// Base64 returns b in unpadded standard Base64, as keys, hashes and signatures are written.
// spec: appendices#unpadded-base64
func Base64(b []byte) string { return base64.RawStdEncoding.EncodeToString(b) }

// Base64URL returns b in unpadded URL-safe Base64, as event ids of room versions 4 and later are written.
func Base64URL(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// AppendBase64 appends b in unpadded standard Base64 to dst.
func AppendBase64(dst, b []byte) []byte { return base64.RawStdEncoding.AppendEncode(dst, b) }

// DecodeBase64 reads standard Base64, with padding or without.
func DecodeBase64(s string) ([]byte, error) {
	b, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(s, "="))
	if err != nil {
		return nil, fmt.Errorf("decoding base64: %w", err)
	}
	return b, nil
}
