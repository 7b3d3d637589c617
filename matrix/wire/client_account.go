package wire

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"hearth/matrix"
)

const v3 = "/_matrix/client/v3"

// Session is what registering and logging in answer.
type Session struct {
	UserID       matrix.UserID `json:"user_id"`
	AccessToken  string        `json:"access_token"`
	DeviceID     string        `json:"device_id"`
	RefreshToken string        `json:"refresh_token"` // "" if the access token does not expire
	ExpiresIn    int64         `json:"expires_in_ms"` // 0 if it does not
}

func (c *Client) use(s Session) {
	c.User, c.Token, c.Device, c.RefreshToken = s.UserID, s.AccessToken, s.DeviceID, s.RefreshToken
}

// Versions asks which versions of the specification the server speaks.
//
// spec: client-server-api#get_matrixclientversions
func (c *Client) Versions(ctx context.Context) ([]string, error) {
	var out struct {
		Versions []string `json:"versions"`
	}
	err := c.Do(ctx, http.MethodGet, "/_matrix/client/versions", nil, nil, &out)
	return out.Versions, err
}

// Register makes an account, through interactive authentication with the
// dummy stage, and makes c the client of its first device.
//
// spec: client-server-api#post_matrixclientv3register
func (c *Client) Register(ctx context.Context, username, password string) error {
	body := map[string]any{"username": username, "password": password}
	var out Session
	err := c.Do(ctx, http.MethodPost, v3+"/register", nil, body, &out)
	var refused *matrix.Error
	if errors.As(err, &refused) && refused.Status == http.StatusUnauthorized && refused.Extra["session"] != nil {
		body["auth"] = map[string]any{"type": "m.login.dummy", "session": refused.Extra["session"]}
		err = c.Do(ctx, http.MethodPost, v3+"/register", nil, body, &out)
	}
	if err != nil {
		return err
	}
	c.use(out)
	return nil
}

// Login logs in with a password, as a new device, or as the device if it is
// not "", and makes c that device's client.
//
// spec: client-server-api#post_matrixclientv3login
func (c *Client) Login(ctx context.Context, user, password, device string) error {
	body := passwordLogin(user, password)
	if device != "" {
		body["device_id"] = device
	}
	return c.LoginWith(ctx, body)
}

func passwordLogin(user, password string) map[string]any {
	return map[string]any{
		"type":       "m.login.password",
		"identifier": map[string]string{"type": "m.id.user", "user": user},
		"password":   password,
	}
}

// LoginWith logs in with a body of the caller's, for example one that has "refresh_token", and makes c the client of
// that device.
//
// spec: client-server-api#post_matrixclientv3login
func (c *Client) LoginWith(ctx context.Context, body map[string]any) error {
	var out Session
	if err := c.Do(ctx, http.MethodPost, v3+"/login", nil, body, &out); err != nil {
		return err
	}
	c.use(out)
	return nil
}

// Refresh takes new tokens for the session of c's refresh token.
//
// spec: client-server-api#post_matrixclientv3refresh
func (c *Client) Refresh(ctx context.Context) error {
	var out Session
	if err := c.Do(ctx, http.MethodPost, v3+"/refresh", nil, map[string]string{"refresh_token": c.RefreshToken}, &out); err != nil {
		return err
	}
	c.Token, c.RefreshToken = out.AccessToken, out.RefreshToken
	return nil
}

// WithPassword calls an endpoint that wants the user's password, through interactive authentication.
//
// spec: client-server-api#user-interactive-authentication-api
func (c *Client) WithPassword(ctx context.Context, method, path, password string, body map[string]any, out any) error {
	if body == nil {
		body = make(map[string]any)
	}
	err := c.Do(ctx, method, path, nil, body, out)
	var refused *matrix.Error
	if errors.As(err, &refused) && refused.Status == http.StatusUnauthorized && refused.Extra["session"] != nil {
		auth := passwordLogin(string(c.User), password)
		auth["session"] = refused.Extra["session"]
		body["auth"] = auth
		err = c.Do(ctx, method, path, nil, body, out)
	}
	return err
}

// LoginToken returns a token by which another device can log in as the user, once.
//
// spec: client-server-api#post_matrixclientv1loginget_token
func (c *Client) LoginToken(ctx context.Context, password string) (string, error) {
	var out struct {
		Token string `json:"login_token"`
	}
	err := c.WithPassword(ctx, http.MethodPost, "/_matrix/client/v1/login/get_token", password, nil, &out)
	return out.Token, err
}

// ChangePassword sets a new password and logs out all other devices.
//
// spec: client-server-api#post_matrixclientv3accountpassword
func (c *Client) ChangePassword(ctx context.Context, old, changed string) error {
	return c.WithPassword(ctx, http.MethodPost, v3+"/account/password", old, map[string]any{"new_password": changed}, nil)
}

// Deactivate ends the account. With erase, later members of its rooms do not see what it wrote.
//
// spec: client-server-api#post_matrixclientv3accountdeactivate
func (c *Client) Deactivate(ctx context.Context, password string, erase bool) error {
	return c.WithPassword(ctx, http.MethodPost, v3+"/account/deactivate", password, map[string]any{"erase": erase}, nil)
}

// Device is one of the user's devices.
type Device struct {
	ID       string `json:"device_id"`
	Name     string `json:"display_name"`
	Address  string `json:"last_seen_ip"`
	LastSeen int64  `json:"last_seen_ts"` // ms since 1970
}

// Devices lists the user's devices.
//
// spec: client-server-api#get_matrixclientv3devices
func (c *Client) Devices(ctx context.Context) ([]Device, error) {
	var out struct {
		Devices []Device `json:"devices"`
	}
	err := c.Do(ctx, http.MethodGet, v3+"/devices", nil, nil, &out)
	return out.Devices, err
}

// DeleteDevices logs devices of the user out and removes them.
//
// spec: client-server-api#post_matrixclientv3delete_devices
func (c *Client) DeleteDevices(ctx context.Context, password string, devices ...string) error {
	return c.WithPassword(ctx, http.MethodPost, v3+"/delete_devices", password, map[string]any{"devices": devices}, nil)
}

// Logout ends the session of c's token.
//
// spec: client-server-api#post_matrixclientv3logout
func (c *Client) Logout(ctx context.Context) error {
	return c.Do(ctx, http.MethodPost, v3+"/logout", nil, nil, nil)
}

// LogoutAll ends all sessions of the account.
//
// spec: client-server-api#post_matrixclientv3logoutall
func (c *Client) LogoutAll(ctx context.Context) error {
	return c.Do(ctx, http.MethodPost, v3+"/logout/all", nil, nil, nil)
}

// Whoami asks whose the token is.
//
// spec: client-server-api#get_matrixclientv3accountwhoami
func (c *Client) Whoami(ctx context.Context) (Session, error) {
	var out Session
	err := c.Do(ctx, http.MethodGet, v3+"/account/whoami", nil, nil, &out)
	return out, err
}

// ProfileField reads one field of a user's profile, such as "displayname",
// into out.
//
// spec: client-server-api#get_matrixclientv3profileuseridkeyname
func (c *Client) ProfileField(ctx context.Context, user matrix.UserID, field string, out any) error {
	var all map[string]json.RawMessage
	if err := c.Do(ctx, http.MethodGet, Path(v3+"/profile", string(user), field), nil, nil, &all); err != nil {
		return err
	}
	return decodeAnswer(all[field], out)
}

// SetProfileField sets one field of the own profile.
//
// spec: client-server-api#put_matrixclientv3profileuseridkeyname
func (c *Client) SetProfileField(ctx context.Context, field string, value any) error {
	return c.Do(ctx, http.MethodPut, Path(v3+"/profile", string(c.User), field), nil, map[string]any{field: value}, nil)
}

// SetAccountData sets account data of the type; of the room if it is not "".
//
// spec: client-server-api#client-config
func (c *Client) SetAccountData(ctx context.Context, room matrix.RoomID, typ string, content any) error {
	return c.Do(ctx, http.MethodPut, c.accountDataPath(room, typ), nil, content, nil)
}

// AccountData reads account data of the type into out; of the room if it is not "".
//
// spec: client-server-api#client-config
func (c *Client) AccountData(ctx context.Context, room matrix.RoomID, typ string, out any) error {
	return c.Do(ctx, http.MethodGet, c.accountDataPath(room, typ), nil, nil, out)
}

func (c *Client) accountDataPath(room matrix.RoomID, typ string) string {
	if room == "" {
		return Path(v3+"/user", string(c.User), "account_data", typ)
	}
	return Path(v3+"/user", string(c.User), "rooms", string(room), "account_data", typ)
}

// Presence is how present a user is.
type Presence struct {
	State           string `json:"presence"` // online, unavailable or offline
	Message         string `json:"status_msg,omitempty"`
	LastActiveAgo   *int64 `json:"last_active_ago,omitempty"` // milliseconds
	CurrentlyActive bool   `json:"currently_active,omitempty"`
}

// Presence reads how present a user is.
//
// spec: client-server-api#get_matrixclientv3presenceuseridstatus
func (c *Client) Presence(ctx context.Context, user matrix.UserID) (Presence, error) {
	var out Presence
	err := c.Do(ctx, http.MethodGet, Path(v3+"/presence", string(user), "status"), nil, nil, &out)
	return out, err
}

// SetPresence says how present the user is at this device, and the user's status message.
//
// spec: client-server-api#put_matrixclientv3presenceuseridstatus
func (c *Client) SetPresence(ctx context.Context, state, message string) error {
	body := Presence{State: state, Message: message}
	return c.Do(ctx, http.MethodPut, Path(v3+"/presence", string(c.User), "status"), nil, body, nil)
}

// Ignore makes these all the users whom the user ignores.
//
// spec: client-server-api#ignoring-users
func (c *Client) Ignore(ctx context.Context, users ...matrix.UserID) error {
	list := make(map[matrix.UserID]struct{}, len(users))
	for _, u := range users {
		list[u] = struct{}{}
	}
	return c.SetAccountData(ctx, "", "m.ignored_user_list", map[string]any{"ignored_users": list})
}

// Tag is what a tag says of a room.
type Tag struct {
	Order *float64 `json:"order,omitempty"` // from 0 to 1
}

func (c *Client) tagsPath(room matrix.RoomID, tag ...string) string {
	return Path(Path(v3+"/user", string(c.User), "rooms", string(room), "tags"), tag...)
}

// Tags reads the tags of a room.
//
// spec: client-server-api#get_matrixclientv3useruseridroomsroomidtags
func (c *Client) Tags(ctx context.Context, room matrix.RoomID) (map[string]Tag, error) {
	var out struct {
		Tags map[string]Tag `json:"tags"`
	}
	err := c.Do(ctx, http.MethodGet, c.tagsPath(room), nil, nil, &out)
	return out.Tags, err
}

// SetTag puts a tag on a room.
//
// spec: client-server-api#put_matrixclientv3useruseridroomsroomidtagstag
func (c *Client) SetTag(ctx context.Context, room matrix.RoomID, name string, tag Tag) error {
	return c.Do(ctx, http.MethodPut, c.tagsPath(room, name), nil, tag, nil)
}

// DeleteTag takes a tag off a room.
//
// spec: client-server-api#delete_matrixclientv3useruseridroomsroomidtagstag
func (c *Client) DeleteTag(ctx context.Context, room matrix.RoomID, name string) error {
	return c.Do(ctx, http.MethodDelete, c.tagsPath(room, name), nil, nil, nil)
}

// CreateFilter stores a filter and returns its id.
//
// spec: client-server-api#post_matrixclientv3useruseridfilter
func (c *Client) CreateFilter(ctx context.Context, filter any) (string, error) {
	var out struct {
		ID string `json:"filter_id"`
	}
	err := c.Do(ctx, http.MethodPost, Path(v3+"/user", string(c.User), "filter"), nil, filter, &out)
	return out.ID, err
}

// SendToDevice sends a to-device message: contents by user and device, "*" for
// all devices.
//
// spec: client-server-api#put_matrixclientv3sendtodeviceeventtypetxnid
func (c *Client) SendToDevice(ctx context.Context, typ, txn string, messages map[matrix.UserID]map[string]any) error {
	return c.Do(ctx, http.MethodPut, Path(v3+"/sendToDevice", typ, txn), nil, map[string]any{"messages": messages}, nil)
}
