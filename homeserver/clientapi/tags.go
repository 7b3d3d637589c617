package clientapi

import (
	"encoding/json"
	"net/http"
	"unicode/utf8"

	"hearth/homeserver/account"
	"hearth/matrix"
	"hearth/matrix/wire"
)

func (a *API) tagsRoutes(m *wire.Mux) {
	const all = "/_matrix/client/v3/user/{userId}/rooms/{roomId}/tags"
	m.Handle("GET "+all, a.authed(a.tags))
	m.Handle("PUT "+all+"/{tag}", a.authed(a.putTag))
	m.Handle("DELETE "+all+"/{tag}", a.authed(a.deleteTag))
}

const (
	tagType = "m.tag" // of the account data that holds a room's tags
	maxTag  = 255     // bytes of a tag's name
)

// spec: client-server-api#get_matrixclientv3useruseridroomsroomidtags
func (a *API) tags(w http.ResponseWriter, r *http.Request, s account.Session) error {
	if err := self(r, s); err != nil {
		return err
	}
	room, err := a.roomOfData(r, s)
	if hasCode(err, matrix.MForbidden) {
		return wire.Raw(w, []byte(`{"tags":{}}`)) // the user never had to do with it
	}
	if err != nil {
		return err
	}
	content, err := a.Accounts.Data(r.Context(), s.User, room, tagType)
	if err != nil {
		return err
	}
	return wire.Raw(w, append(append([]byte(`{"tags":`), tagsOf(content)...), '}'))
}

// tagsOf returns the object of tags in a content that a client may have made of anything.
func tagsOf(content []byte) []byte {
	if tags, ok := matrix.Field(content, "tags"); ok && matrix.IsObject(tags) {
		return tags
	}
	return []byte("{}")
}

// spec: client-server-api#put_matrixclientv3useruseridroomsroomidtagstag
func (a *API) putTag(w http.ResponseWriter, r *http.Request, s account.Session) error {
	tag, err := wire.ReadOptionalObject(w, r, maxBody)
	if err != nil {
		return err
	}
	if err := checkTag(tag); err != nil {
		return err
	}
	return a.editTags(w, r, s, func(tags []byte, name string) []byte { return matrix.With(nil, tags, name, tag) })
}

// checkTag refuses an order that is no number between 0 and 1. Error: M_INVALID_PARAM (400).
// spec: client-server-api#room-tagging
func checkTag(tag []byte) error {
	raw, ok := matrix.Field(tag, "order")
	if !ok {
		return nil
	}
	var order *float64
	if err := json.Unmarshal(raw, &order); err != nil || order == nil || *order < 0 || *order > 1 {
		return matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "A tag's order is a number from 0 to 1")
	}
	return nil
}

// spec: client-server-api#delete_matrixclientv3useruseridroomsroomidtagstag
func (a *API) deleteTag(w http.ResponseWriter, r *http.Request, s account.Session) error {
	return a.editTags(w, r, s, func(tags []byte, name string) []byte {
		if _, ok := matrix.Field(tags, name); !ok {
			return nil
		}
		return matrix.Without(nil, tags, name)
	})
}

// editTags changes a room's tags to what edit makes of them for the path's tag, nil for no change.
func (a *API) editTags(w http.ResponseWriter, r *http.Request, s account.Session, edit func(tags []byte, name string) []byte) error {
	room, err := a.roomOfData(r, s)
	if err != nil {
		return err
	}
	name := r.PathValue("tag")
	if name == "" || len(name) > maxTag || !utf8.ValidString(name) {
		return matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "A tag's name has 1 to %d bytes", maxTag)
	}
	_, err = a.Accounts.EditData(r.Context(), s.User, room, tagType, func(content []byte) ([]byte, error) {
		tags := edit(tagsOf(content), name)
		if tags == nil {
			return nil, nil
		}
		if content == nil {
			content = []byte("{}")
		}
		return matrix.With(nil, content, "tags", tags), nil
	})
	if err != nil {
		return err
	}
	return wire.Empty(w)
}
