package authrules

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"hearth/matrix"
)

// testKey returns a key pair that is the same in every run.
func testKey(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed([]byte(strings.Repeat(string(rune(seed)), ed25519.SeedSize)))
}

func public(key ed25519.PrivateKey) []byte { return key.Public().(ed25519.PublicKey) }

// signedBy returns the signed part of a third-party invite.
func signedBy(t *testing.T, mxid string, key ed25519.PrivateKey) string {
	t.Helper()
	signed, err := matrix.SignJSON(fmt.Appendf(nil, `{"mxid":%q,"token":"abc"}`, mxid), "id.example", "ed25519:0", key)
	if err != nil {
		t.Fatal(err)
	}
	return string(signed)
}

func TestThirdPartyInviteRule(t *testing.T) {
	key, other := testKey('a'), testKey('b')
	invitation := func(content string) string { return `@user:x m.room.third_party_invite abc ` + content + "\n" }
	usual := invitation(fmt.Sprintf(`{"public_key":%q}`, matrix.Base64(public(key))))
	list := invitation(fmt.Sprintf(`{"public_key":"AAAA","public_keys":[{"public_key":%q},{"public_key":%q}]}`,
		matrix.Base64(public(other)), base64.URLEncoding.EncodeToString(public(key))))
	invite := func(target, invite string) string {
		return fmt.Sprintf(`@user:x m.room.member %s {"membership":"invite","third_party_invite":%s}`, target, invite)
	}
	valid := signedBy(t, "@out:y", key)
	forged := signedBy(t, "@out:y", other)
	// Wants are "3.1.n" below the number of the member rule, which version 8 made "4.1.n".
	numbered := func(n string) string {
		return strings.ReplaceAll("5.3.1.N 5.3.1.N 4.3.1.N 4.3.1.N 4.4.1.N 4.4.1.N 5.4.1.N", "N", n)
	}
	runRules(t, []ruleCase{
		{"valid", usual, invite("@out:y", `{"signed":`+valid+`}`), "ok"},
		{"one of a list of keys", list, invite("@out:y", `{"signed":`+valid+`}`), "ok"},
		{"by who has left", usual + `!m.room.member @user:x`, invite("@out:y", `{"signed":`+valid+`}`), "ok"},
		{"banned", usual, invite("@banned:y", `{"signed":`+signedBy(t, "@banned:y", key)+`}`), numbered("1")},
		{"not signed", usual, invite("@out:y", `{}`), numbered("2")},
		{"no object", usual, invite("@out:y", `null`), numbered("2")},
		{"no token", usual, invite("@out:y", `{"signed":{"mxid":"@out:y"}}`), numbered("3")},
		{"no mxid", usual, invite("@out:y", `{"signed":{"token":"abc"}}`), numbered("3")},
		{"for somebody else", usual, invite("@left:y", `{"signed":`+valid+`}`), numbered("4")},
		{"no such invitation", "", invite("@out:y", `{"signed":`+valid+`}`), numbered("5")},
		{"by another sender", strings.Replace(usual, "@user:x", "@mod:x", 1), invite("@out:y", `{"signed":`+valid+`}`), numbered("6")},
		{"by another key", usual, invite("@out:y", `{"signed":`+forged+`}`), numbered("8")},
		{"changed after signing", usual, invite("@out:y", `{"signed":`+strings.Replace(valid, `"mxid"`, `"extra":1,"mxid"`, 1)+`}`), numbered("8")},
		{"no signatures", usual, invite("@out:y", `{"signed":{"mxid":"@out:y","token":"abc"}}`), numbered("8")},
		{"no keys", invitation(`{}`), invite("@out:y", `{"signed":`+valid+`}`), numbered("8")},
		{"keys of the wrong kind", invitation(`{"public_key":1,"public_keys":{"public_key":"AAAA"}}`),
			invite("@out:y", `{"signed":`+valid+`}`), numbered("8")},
	})
}

// However many signatures and keys there are, only so many pairs are tried.
func TestThirdPartyInviteIsBounded(t *testing.T) {
	key := testKey('a')
	v, _ := matrix.LookupVersion("12")
	for _, tt := range []struct {
		keys int // that come before the right one
		want string
	}{{maxVerifications - 2, "ok"}, {400, "5.4.1.8"}} {
		var keys []string
		for i := range tt.keys {
			keys = append(keys, fmt.Sprintf(`{"public_key":%q}`, matrix.Base64(public(testKey(byte(i%90))))))
		}
		keys = append(keys, fmt.Sprintf(`{"public_key":%q}`, matrix.Base64(public(key))))
		state := newState(v, `@user:x m.room.third_party_invite abc {"public_keys":[`+strings.Join(keys, ",")+`]}`)
		e := newEvent(v, `@user:x m.room.member @out:y {"membership":"invite","third_party_invite":{"signed":`+
			signedBy(t, "@out:y", key)+`}}`)
		if got := ruleOf(t, Check(e, state)); got != tt.want {
			t.Errorf("with %d keys before the right one: %s, not %s", tt.keys, got, tt.want)
		}
	}
}
