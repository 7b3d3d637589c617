package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strings"
	"unicode/utf8"

	"hearth/matrix"
)

// maxDepth bounds how deeply arrays and objects of a body may nest. It is well
// above what any request of the specification needs.
const maxDepth = 100

// firstRead bounds what is allocated on a Content-Length's word alone, in bytes.
const firstRead = 64 << 10

// ReadObject reads the request's body, a JSON object of at most limit bytes,
// and returns its bytes, which the caller owns. Whatever Content-Type the
// client sent, or none, does not matter.
//
// Errors: M_TOO_LARGE (413), M_NOT_JSON (400; also for an empty body),
// M_BAD_JSON (400) when the value is not an object or nests too deeply.
//
// spec: client-server-api#api-standards
func ReadObject(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	body, err := ReadBytes(w, r, limit)
	if err != nil {
		return nil, err
	}
	if err := checkObject(body); err != nil {
		return nil, err
	}
	return body, nil
}

// ReadOptionalObject is ReadObject for the endpoints that clients call without
// any body: an empty one reads as {}.
func ReadOptionalObject(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	body, err := ReadBytes(w, r, limit)
	if err != nil {
		return nil, err
	}
	if len(bytes.TrimLeft(body, " \t\r\n")) == 0 {
		return []byte("{}"), nil
	}
	if err := checkObject(body); err != nil {
		return nil, err
	}
	return body, nil
}

// Read reads the request's body, a JSON object of at most limit bytes, into
// the struct that out points to. Errors are those of ReadObject and Decode.
func Read(w http.ResponseWriter, r *http.Request, limit int64, out any) error {
	body, err := ReadObject(w, r, limit)
	if err != nil {
		return err
	}
	return Decode(body, out)
}

// ReadOptional is Read for the endpoints that clients call without any body:
// an empty one leaves out as it is.
func ReadOptional(w http.ResponseWriter, r *http.Request, limit int64, out any) error {
	body, err := ReadOptionalObject(w, r, limit)
	if err != nil {
		return err
	}
	return Decode(body, out)
}

// ReadBytes reads the request's whole body, of any kind, of at most limit
// bytes. Errors: M_TOO_LARGE (413), M_NOT_JSON (400) when the connection ends
// before the body does.
func ReadBytes(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	if r.ContentLength > limit {
		return nil, tooLarge(limit)
	}
	size := int64(512)
	if r.ContentLength >= 0 {
		size = min(r.ContentLength, firstRead)
	}
	body := make([]byte, 0, size+1) // one more, so that the last Read sees the end without growing
	in := http.MaxBytesReader(w, r.Body, limit)
	for {
		n, err := in.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case err == io.EOF:
			return body, nil
		case err != nil:
			return nil, unreadable(err, limit)
		}
		if len(body) == cap(body) {
			body = append(body, 0)[:len(body)]
		}
	}
}

func unreadable(err error, limit int64) error {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return tooLarge(limit)
	}
	return matrix.Errorf(http.StatusBadRequest, matrix.MNotJSON, "The request's body could not be read to its end")
}

func tooLarge(limit int64) error {
	return matrix.Errorf(http.StatusRequestEntityTooLarge, matrix.MTooLarge, "The request's body exceeds %d bytes", limit)
}

// checkObject says whether body is one JSON object that may be decoded.
func checkObject(body []byte) error {
	switch trimmed := bytes.TrimLeft(body, " \t\r\n"); {
	case !shallow(body):
		return matrix.Errorf(http.StatusBadRequest, matrix.MBadJSON, "The request's body nests deeper than %d levels", maxDepth)
	case !json.Valid(body) || !utf8.Valid(body):
		return matrix.Errorf(http.StatusBadRequest, matrix.MNotJSON, "The request's body is not valid JSON")
	case trimmed[0] != '{':
		return matrix.Errorf(http.StatusBadRequest, matrix.MBadJSON, "The request's body must be a JSON object")
	}
	return nil
}

// shallow reports whether the brackets outside strings nest at most maxDepth deep.
func shallow(body []byte) bool {
	depth, quoted := 0, false
	for i := 0; i < len(body); i++ {
		switch body[i] {
		case '"':
			quoted = !quoted
		case '\\':
			if quoted {
				i++
			}
		case '{', '[':
			if !quoted {
				depth++
			}
		case '}', ']':
			if !quoted {
				depth--
			}
		}
		if depth > maxDepth {
			return false
		}
	}
	return true
}

// Decode decodes a valid JSON object into the struct (or the map, or whatever
// unmarshals itself) that out points to. Other than encoding/json's, a
// struct's member names match exactly, and a name that occurs twice is an
// error. The error is M_BAD_JSON (400) and names the member.
func Decode(obj []byte, out any) error {
	v := reflect.ValueOf(out).Elem()
	if _, ok := out.(json.Unmarshaler); ok || v.Kind() != reflect.Struct {
		return badMember("", json.Unmarshal(obj, out))
	}
	var err error
	seen := make(map[string]bool, 8)
	matrix.EachField(obj, func(name string, raw []byte) bool {
		if seen[name] {
			err = matrix.Errorf(http.StatusBadRequest, matrix.MBadJSON, "%q occurs twice", name)
			return false
		}
		seen[name] = true
		if field, ok := member(v, name); ok {
			err = badMember(name, json.Unmarshal(raw, field.Addr().Interface()))
		}
		return err == nil
	})
	return err
}

// member finds the field of the struct v, or of one embedded in it, whose JSON
// name is name.
func member(v reflect.Value, name string) (reflect.Value, bool) {
	t := v.Type()
	for i := range t.NumField() {
		f := t.Field(i)
		tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && tag == "" && f.Type.Kind() == reflect.Struct:
			if found, ok := member(v.Field(i), name); ok {
				return found, true
			}
		case f.IsExported() && tag != "-" && (tag == name || tag == "" && f.Name == name):
			return v.Field(i), true
		}
	}
	return reflect.Value{}, false
}

func badMember(name string, err error) error {
	if err == nil {
		return nil
	}
	var already *matrix.Error
	if errors.As(err, &already) {
		return already
	}
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		at := strings.Trim(name+"."+wrong.Field, ".")
		return matrix.Errorf(http.StatusBadRequest, matrix.MBadJSON, "%q must be %s, not %s", at, kindName(wrong.Type), wrong.Value)
	}
	return matrix.Errorf(http.StatusBadRequest, matrix.MBadJSON, "%q is malformed", name)
}

// kindName is what JSON calls the kind of t.
func kindName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "a boolean"
	case reflect.Slice, reflect.Array:
		return "an array"
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Pointer:
		return kindName(t.Elem())
	}
	return "an integer in range"
}
