package wire

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"hearth/matrix"
)

// maxAnswer bounds the answers that a Client reads, in bytes.
const maxAnswer = 256 << 20

// A Client calls a homeserver's Client-Server API for one account. Its fields
// are set before use, or by Register and Login; after that its methods may run
// in many goroutines at once.
type Client struct {
	Base   string        // the homeserver's URL, such as "http://127.0.0.1:8008"
	Token  string        // the access token; "" for none
	User   matrix.UserID // whose token it is, for the endpoints that name the user
	Device string
	// RefreshToken is for a session that can be refreshed, "" for another.
	RefreshToken string
	HTTP         *http.Client // if nil, http.DefaultClient
}

// NewClient returns a client, without an account, that keeps enough
// connections alive for many calls at once.
func NewClient(base string) *Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = nil
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost = 256, 256
	transport.DisableCompression = true
	return &Client{Base: base, HTTP: &http.Client{Transport: transport}}
}

// Other returns a client without an account that shares c's server and connections.
func (c *Client) Other() *Client {
	return &Client{Base: c.Base, HTTP: c.HTTP}
}

// Close closes the connections that no call is using.
func (c *Client) Close() {
	if c.HTTP != nil {
		c.HTTP.CloseIdleConnections()
	}
}

// Path joins prefix and the segments, each escaped.
func Path(prefix string, segments ...string) string {
	var b strings.Builder
	b.WriteString(prefix)
	for _, s := range segments {
		b.WriteByte('/')
		b.WriteString(url.PathEscape(s))
	}
	return b.String()
}

// Do calls one endpoint. The path is escaped already (see Path). In is the
// body: nil for none, a []byte or json.RawMessage as it is, anything else
// encoded as JSON. Out receives the answer: nil to drop it, a *[]byte for its
// bytes, anything else decoded from JSON. What the server refuses is returned
// as a *matrix.Error with the status of the answer.
func (c *Client) Do(ctx context.Context, method, path string, query url.Values, in, out any) error {
	r, err := c.request(ctx, method, path, query, in)
	if err != nil {
		return err
	}
	client := c.HTTP
	if client == nil {
		client = http.DefaultClient
	}
	answer, err := client.Do(r)
	if err != nil {
		return fmt.Errorf("calling %s %s: %w", method, path, withoutURL(err))
	}
	defer answer.Body.Close()
	body, err := readAnswer(answer)
	if err != nil {
		return fmt.Errorf("reading the answer to %s %s: %w", method, path, err)
	}
	if answer.StatusCode/100 != 2 {
		return refusal(answer.StatusCode, body)
	}
	if err := decodeAnswer(body, out); err != nil {
		return fmt.Errorf("decoding the answer to %s %s: %w", method, path, err)
	}
	return nil
}

func (c *Client) request(ctx context.Context, method, path string, query url.Values, in any) (*http.Request, error) {
	target := c.Base + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	var body io.Reader
	if in != nil {
		encoded, err := encodeBody(in)
		if err != nil {
			return nil, fmt.Errorf("encoding the body of %s %s: %w", method, path, err)
		}
		body = bytes.NewReader(encoded)
	}
	r, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return nil, fmt.Errorf("making the request %s %s: %w", method, path, err)
	}
	if in != nil {
		r.Header["Content-Type"] = []string{"application/json"}
	}
	if c.Token != "" {
		r.Header["Authorization"] = []string{"Bearer " + c.Token}
	}
	return r, nil
}

func encodeBody(in any) ([]byte, error) {
	switch in := in.(type) {
	case []byte:
		return in, nil
	case json.RawMessage:
		return in, nil
	}
	return json.Marshal(in)
}

func readAnswer(answer *http.Response) ([]byte, error) {
	if answer.ContentLength > maxAnswer {
		return nil, fmt.Errorf("it has %d bytes, more than %d", answer.ContentLength, maxAnswer)
	}
	if n := answer.ContentLength; n >= 0 && n <= firstRead {
		body := make([]byte, n)
		_, err := io.ReadFull(answer.Body, body)
		return body, err
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	if err == nil && len(body) > maxAnswer {
		err = fmt.Errorf("it has more than %d bytes", maxAnswer)
	}
	return body, err
}

// refusal reads an answer that is no success. An object without an errcode, as
// interactive authentication answers at first, still has its members in Extra.
//
// spec: client-server-api#user-interactive-authentication-api
func refusal(status int, body []byte) *matrix.Error {
	e := matrix.ParseError(status, body)
	if e.Code == matrix.MUnknown && e.Extra == nil {
		_ = json.Unmarshal(body, &e.Extra) // another body has no members
	}
	return e
}

func decodeAnswer(body []byte, out any) error {
	switch out := out.(type) {
	case nil:
		return nil
	case *[]byte:
		*out = body
		return nil
	}
	return json.Unmarshal(body, out)
}

// withoutURL drops the URL that net/http's errors repeat; it may hold what
// should not be logged.
func withoutURL(err error) error {
	if u, ok := err.(*url.Error); ok {
		return u.Err
	}
	return err
}
