package image

import (
	"bytes"
	"encoding/pem"
	"fmt"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// certificates returns the root certificates of Mozilla's programme as PEM. Those that Mozilla trusts under a constraint only,
// such as a date of issue, are left out: a file of certificates cannot say that.
func certificates() ([]byte, error) {
	var text bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint != nil {
			continue
		}
		if err := pem.Encode(&text, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}); err != nil {
			return nil, fmt.Errorf("writing the root certificates: %w", err)
		}
	}
	return text.Bytes(), nil
}
