package vmtest_test

import (
	"crypto/tls"
	"encoding/json"
	"net/http"
	"net/url"
	"testing"

	"hearth/matrix"
)

// TestTwoBoxesOfOneImageShareNoKey is threat 11: two disks are written from the same image, and both boxes make keys of
// their own at their first start.
func TestTwoBoxesOfOneImageShareNoKey(t *testing.T) {
	long(t)
	system := version(t, "qemu-arm64", "1.0", 10)
	var known []keys
	for range 2 {
		m := newMachine(t, system)
		k := m.served(t)
		known = append(known, m.keys(t, k))
		m.kill()
	}
	a, b := known[0], known[1]
	if a.certificate == b.certificate || a.event == b.event || a.signature == b.signature {
		t.Errorf("two boxes have the same keys: %+v and %+v", a, b)
	}
}

// keys are what others see of a box's keys.
type keys struct {
	certificate string // of the management port
	event       string // id of the key that signs events
	signature   string // by that key
}

func (m *machine) keys(t *testing.T, k *talker) keys {
	t.Helper()
	var found keys
	conn, err := tls.Dial("tcp", m.management, &tls.Config{
		InsecureSkipVerify: true, // who it is, is what is asked
		VerifyConnection: func(s tls.ConnectionState) error {
			found.certificate = string(s.PeerCertificates[0].RawSubjectPublicKeyInfo)
			return nil
		},
	})
	if err == nil {
		conn.Close()
	}
	if found.certificate == "" {
		t.Fatalf("the management port shows no certificate: %v", err)
	}
	client := k.connect()
	defer client.Close()
	var answer struct {
		Rooms struct {
			Join map[matrix.RoomID]struct {
				Timeline struct {
					Events []struct {
						Signatures map[string]map[string]string `json:"signatures"`
					} `json:"events"`
				} `json:"timeline"`
			} `json:"join"`
		} `json:"rooms"`
	}
	query := url.Values{"filter": {`{"event_format":"federation","room":{"timeline":{"limit":1}}}`}}
	var raw json.RawMessage
	if err := client.Do(t.Context(), http.MethodGet, "/_matrix/client/v3/sync", query, nil, &raw); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		t.Fatal(err)
	}
	for _, event := range answer.Rooms.Join[k.room].Timeline.Events {
		for _, byServer := range event.Signatures {
			for id, signature := range byServer {
				found.event, found.signature = id, signature
			}
		}
	}
	if found.event == "" {
		t.Fatalf("no event is signed: %s", raw)
	}
	return found
}
