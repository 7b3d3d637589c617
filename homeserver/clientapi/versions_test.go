package clientapi

import (
	"slices"
	"testing"

	"hearth/matrix"
)

func TestVersions(t *testing.T) {
	ts := newServer(t)
	versions, err := ts.anonymous().Versions(t.Context())
	must(t, err)
	if !slices.Contains(versions, "v1.1") || !slices.Contains(versions, "v1.11") {
		t.Errorf("versions %v", versions)
	}
	// The first of them had another name for what is v3 today.
	ts.want(ts.anonymous(), "GET", "/_matrix/client/r0/account/whoami", "", 401, matrix.MMissingToken)
	// With a token too, even one that is not valid.
	c := ts.anonymous()
	c.Token = "unknown"
	ts.want(c, "GET", "/_matrix/client/versions", "", 200, "")
}
