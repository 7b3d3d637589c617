package clientapi

import (
	"net/http"
	"strings"

	"hearth/homeserver/account"
	"hearth/matrix"
)

// maySuspended reports whether a suspended user may ask something of an endpoint: to read whatever it is, and to
// change what is listed here. An endpoint that is not listed changes what others see.
// spec: client-server-api#account-suspension
func maySuspended(pattern string) bool {
	method, path, _ := strings.Cut(pattern, " ")
	if method == http.MethodGet {
		return true
	}
	path, ok := strings.CutPrefix(path, "/_matrix/client/")
	if !ok {
		return false
	}
	_, path, _ = strings.Cut(path, "/") // the version
	switch path {
	case "delete_devices", "login/get_token", "search", "publicRooms", "user_directory/search", "pushers/set",
		"account/password", "account/deactivate", "account/3pid", "account/3pid/add", "account/3pid/bind",
		"rooms/{roomId}/leave", "rooms/{roomId}/forget", "rooms/{roomId}/read_markers", "rooms/{roomId}/report",
		"rooms/{roomId}/report/{eventId}", "users/{userId}/report",
		"rooms/{roomId}/redact/{eventId}/{txnId}": // their own, as redact says
		return true
	}
	for _, below := range []string{
		"devices/", "keys/", "room_keys/", "sendToDevice/", "user/{userId}/", "pushrules/", "rooms/{roomId}/receipt/",
		"org.matrix.simplified_msc3575/",
	} {
		if strings.HasPrefix(path, below) {
			return true
		}
	}
	return false
}

// checkSuspension refuses what a suspended user may not do.
func checkSuspension(pattern string, s account.Session) error {
	if !s.Suspended || maySuspended(pattern) {
		return nil
	}
	return errSuspended()
}

func errSuspended() error {
	return matrix.Errorf(http.StatusForbidden, matrix.MUserSuspended, "You cannot perform this action while suspended")
}
