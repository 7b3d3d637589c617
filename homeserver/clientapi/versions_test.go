package clientapi

import (
	"slices"
	"testing"
)

func TestVersions(t *testing.T) {
	ts := newServer(t)
	versions, err := ts.anonymous().Versions(t.Context())
	must(t, err)
	if !slices.Contains(versions, "v1.1") || !slices.Contains(versions, "v1.11") {
		t.Errorf("versions %v", versions)
	}
	// With a token too, even one that is not valid.
	c := ts.anonymous()
	c.Token = "unknown"
	ts.want(c, "GET", "/_matrix/client/versions", "", 200, "")
}
