package clientapi

import (
	"encoding/json"
	"net/http"

	"hearth/homeserver/account"
	"hearth/matrix"
	"hearth/matrix/wire"
)

func (a *API) toDeviceRoutes(m *wire.Mux) {
	m.Handle("PUT /_matrix/client/v3/sendToDevice/{eventType}/{txnId}", a.authed(a.sendToDevice))
}

// maxToDevice is the largest request with messages for devices, in bytes: a few hundred encrypted room keys.
const maxToDevice = 2 << 20

// spec: client-server-api#put_matrixclientv3sendtodeviceeventtypetxnid
func (a *API) sendToDevice(w http.ResponseWriter, r *http.Request, s account.Session) error {
	var in struct {
		Messages map[matrix.UserID]map[string]json.RawMessage `json:"messages"`
	}
	if err := wire.Read(w, r, maxToDevice, &in); err != nil {
		return err
	}
	if in.Messages == nil {
		return matrix.Errorf(http.StatusBadRequest, matrix.MMissingParam, "The messages are missing")
	}
	if err := a.E2EE.SendToDevice(r.Context(), s, r.PathValue("txnId"), r.PathValue("eventType"), in.Messages); err != nil {
		return err
	}
	return wire.Empty(w)
}
