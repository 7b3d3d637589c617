package wire

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"hearth/matrix"
)

// Token returns the access token of the request's Authorization header.
// Without one the error is M_MISSING_TOKEN (401). A token in the query is not
// looked at: URLs end up in logs.
//
// spec: client-server-api#using-access-tokens
func Token(r *http.Request) (string, error) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	token = strings.TrimSpace(token)
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return "", matrix.Errorf(http.StatusUnauthorized, matrix.MMissingToken, "An access token is needed")
	}
	return token, nil
}

// Query returns the request's query parameters. The error is M_INVALID_PARAM
// (400) when the query is malformed or not UTF-8.
func Query(r *http.Request) (url.Values, error) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "The query of the URL is malformed")
	}
	for name, values := range q {
		for _, v := range values {
			if !utf8.ValidString(name) || !utf8.ValidString(v) {
				return nil, matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "The query of the URL is not valid UTF-8")
			}
		}
	}
	return q, nil
}

// Int returns the parameter name as an integer between low and high; a larger
// one becomes high, an absent or empty one is otherwise. The error is
// M_INVALID_PARAM (400) when it is no integer or less than low.
func Int(q url.Values, name string, otherwise, low, high int64) (int64, error) {
	s := q.Get(name)
	if s == "" {
		return otherwise, nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil && n <= 0 || n < low { // out of range at the top is n > 0
		return 0, matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "%s must be an integer of at least %d", name, low)
	}
	return min(n, high), nil
}

// Bool returns the parameter name, "true" or "false"; an absent or empty one
// is otherwise. The error is M_INVALID_PARAM (400).
func Bool(q url.Values, name string, otherwise bool) (bool, error) {
	switch q.Get(name) {
	case "":
		return otherwise, nil
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "%s must be true or false", name)
}

// Choice returns the parameter name, which must be one of choices; an absent or
// empty one is the first of them. The error is M_INVALID_PARAM (400).
func Choice(q url.Values, name string, choices ...string) (string, error) {
	s := q.Get(name)
	if s == "" {
		return choices[0], nil
	}
	for _, c := range choices {
		if s == c {
			return s, nil
		}
	}
	return "", matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "%s must be one of %s", name, strings.Join(choices, ", "))
}
