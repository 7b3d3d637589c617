package event

import (
	"strings"
	"testing"

	"hearth/matrix"
)

// spec: client-server-api#mroomserver_acl
func TestServerACL(t *testing.T) {
	for _, c := range []struct {
		content, server string
		want            bool
	}{
		{`{}`, "a.example", false},
		{`{"allow":["*"]}`, "a.example", true},
		{`{"allow":["*"]}`, "1.2.3.4", true},
		{`{"allow":["*"],"allow_ip_literals":true}`, "1.2.3.4", true},
		{`{"allow":["*"],"allow_ip_literals":"no"}`, "1.2.3.4", true},
		{`{"allow":["*"],"allow_ip_literals":false}`, "1.2.3.4", false},
		{`{"allow":["*"],"allow_ip_literals":false}`, "1.2.3.4:8448", false},
		{`{"allow":["*"],"allow_ip_literals":false}`, "[2001:db8::1]", false},
		{`{"allow":["*"],"allow_ip_literals":false}`, "[2001:db8::1]:8448", false},
		{`{"allow":["*"],"allow_ip_literals":false}`, "1.2.3.example", true},
		{`{"allow":["*"],"deny":["*.evil.com","evil.com"]}`, "evil.com", false},
		{`{"allow":["*"],"deny":["*.evil.com","evil.com"]}`, "evil.com:8448", false},
		{`{"allow":["*"],"deny":["*.evil.com","evil.com"]}`, "Mail.EVIL.com:1", false},
		{`{"allow":["*"],"deny":["*.EVIL.com"]}`, "mail.evil.com", false},
		{`{"allow":["*"],"deny":["*.evil.com"]}`, "notevil.com", true},
		{`{"allow":["*"],"deny":["*.evil.com"]}`, "x.evil.com.example", true},
		{`{"allow":["a?.example"]}`, "ab.example", true},
		{`{"allow":["a?.example"]}`, "a.example", false},
		{`{"allow":["a*b*c"]}`, "a.b.b.c", true},
		{`{"allow":["a*b*c"]}`, "a.b.c.d", false},
		{`{"allow":["a.example**"]}`, "a.example", true},
		{`{"allow":"*"}`, "a.example", false},
		{`{"allow":[7,null,"*"],"deny":{"a":"*"}}`, "a.example", true},
	} {
		if got := ReadServerACL([]byte(c.content)).Allows(matrix.ServerName(c.server)); got != c.want {
			t.Errorf("%s allows %s: %t", c.content, c.server, got)
		}
	}
}

// Globs that a matcher which tries everything would never end with.
func TestHostileACL(t *testing.T) {
	glob := `"` + strings.Repeat("*a", 15_000) + `b",`
	content := `{"allow":[` + glob + glob + `"x"]}`
	if ReadServerACL([]byte(content)).Allows(matrix.ServerName(strings.Repeat("a", 230))) {
		t.Error("allowed")
	}
}

func FuzzServerACL(f *testing.F) {
	f.Add(`{"allow":["*"],"deny":["*.evil.com"],"allow_ip_literals":false}`, "mail.evil.com:8448")
	f.Add(`{"allow":["a*b?c"]}`, "[::1]")
	f.Fuzz(func(t *testing.T, content, server string) {
		name, err := matrix.ParseServerName(server)
		if err != nil {
			return
		}
		canonical, err := matrix.CanonicalLoose([]byte(content))
		if err != nil || !matrix.IsObject(canonical) {
			return
		}
		allowed := ReadServerACL(canonical).Allows(name)
		all := ReadServerACL(matrix.With(nil, canonical, "deny", []byte(`["*"]`)))
		if all.Allows(name) {
			t.Errorf("%s is allowed although all are denied (before: %t)", name, allowed)
		}
	})
}
