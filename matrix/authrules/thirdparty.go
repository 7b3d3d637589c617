package authrules

import (
	"crypto/ed25519"
	"encoding/base64"
	"strings"

	"hearth/matrix"
	"hearth/matrix/event"
)

// maxVerifications bounds how many pairs of a signature and a key are tried for one third-party invite. Real ones
// have one signature and at most two keys.
//
// NOTSPEC: the specification has no bound, but 64 KiB of signatures and keys make a million pairs.
const maxVerifications = 128

// thirdPartyInvite is the rule for invites that redeem an invitation by e-mail or the like.
// spec: rooms/v12#authorization-rules 5.4.1
func (k *check) thirdPartyInvite(target matrix.UserID, content []byte) error {
	refuse := func(rule, msg string) error { return k.refuse(msg, k.n.member, k.n.invite, "1", rule) }
	banned, err := k.hasMembership(target, "ban")
	if err != nil {
		return err
	}
	if banned { // 5.4.1.1
		return refuse("1", "the invited user is banned")
	}
	signed, ok := matrix.Field(content, "signed")
	if !ok { // 5.4.1.2
		return refuse("2", "no signed part")
	}
	mxid, hasID := matrix.StringField(signed, "mxid")
	token, hasToken := matrix.StringField(signed, "token")
	if !hasID || !hasToken { // 5.4.1.3
		return refuse("3", "the signed part lacks mxid or token")
	}
	if mxid != string(target) { // 5.4.1.4
		return refuse("4", "signed for somebody else")
	}
	invitation, err := k.get(event.TypeThirdPartyInvite, token)
	if err != nil {
		return err
	}
	if invitation == nil { // 5.4.1.5
		return refuse("5", "no such invitation")
	}
	if invitation.Sender != k.e.Sender { // 5.4.1.6
		return refuse("6", "the invitation is by somebody else")
	}
	if redeems(signed, invitation) { // 5.4.1.7
		return nil
	}
	return refuse("8", "no valid signature by a key of the invitation") // 5.4.1.8
}

// redeems reports whether any signature in signed is by any key of the invitation.
func redeems(signed []byte, invitation *event.Event) bool {
	keys := publicKeys(invitation.Content)
	signatures, ok := matrix.Field(signed, "signatures")
	if !ok || len(keys) == 0 {
		return false
	}
	valid, left := false, maxVerifications
	try := func(server, id string) bool {
		for _, key := range keys {
			if left--; left >= 0 && matrix.VerifyJSON(signed, server, matrix.KeyID(id), key) == nil {
				return true
			}
		}
		return false
	}
	matrix.EachField(signatures, func(server string, byServer []byte) bool {
		matrix.EachField(byServer, func(id string, _ []byte) bool {
			valid = strings.HasPrefix(id, "ed25519:") && try(server, id)
			return !valid && left > 0
		})
		return !valid && left > 0
	})
	return valid
}

// publicKeys returns the keys of public_key and public_keys in an m.room.third_party_invite.
func publicKeys(content []byte) []ed25519.PublicKey {
	var keys []ed25519.PublicKey
	add := func(obj []byte) {
		s, _ := matrix.StringField(obj, "public_key")
		if key := decodeKey(s); key != nil && len(keys) < maxVerifications {
			keys = append(keys, key)
		}
	}
	add(content)                                                                      // 5.4.1.7.1
	if list, ok := matrix.Field(content, "public_keys"); ok && matrix.IsArray(list) { // 5.4.1.7.2
		matrix.EachElement(list, func(obj []byte) bool {
			add(obj)
			return true
		})
	}
	return keys
}

// decodeKey reads a key in unpadded Base64, of the standard or the URL-safe alphabet; nil if it is none.
// spec: client-server-api#mroomthird_party_invite
func decodeKey(s string) ed25519.PublicKey {
	s = strings.TrimRight(s, "=")
	s = strings.NewReplacer("-", "+", "_", "/").Replace(s)
	key, err := base64.RawStdEncoding.DecodeString(s)
	if err != nil || len(key) != ed25519.PublicKeySize {
		return nil
	}
	return key
}
