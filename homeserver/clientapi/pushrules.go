package clientapi

import (
	"encoding/json"
	"net/http"
	"slices"

	"hearth/homeserver/account"
	"hearth/homeserver/push"
	"hearth/matrix"
	"hearth/matrix/wire"
)

func (a *API) pushrulesRoutes(m *wire.Mux) {
	const base = " /_matrix/client/v3/pushrules/"
	m.Handle("GET"+base, a.authed(a.getRules))
	m.Handle("GET"+base+"global/", a.authed(a.getGlobalRules))
	const rule = base + "global/{kind}/{ruleId}"
	m.Handle("GET"+rule, a.authed(a.getRule))
	m.Handle("PUT"+rule, a.authed(a.putRule))
	m.Handle("DELETE"+rule, a.authed(a.deleteRule))
	m.Handle("GET"+rule+"/enabled", a.authed(a.getRuleEnabled))
	m.Handle("PUT"+rule+"/enabled", a.authed(a.putRuleEnabled))
	m.Handle("GET"+rule+"/actions", a.authed(a.getRuleActions))
	m.Handle("PUT"+rule+"/actions", a.authed(a.putRuleActions))
}

// spec: client-server-api#get_matrixclientv3pushrules
func (a *API) getRules(w http.ResponseWriter, r *http.Request, s account.Session) error {
	content, _, err := a.Push.RulesContent(r.Context(), s.User)
	if err != nil {
		return err
	}
	return wire.Raw(w, content)
}

// spec: client-server-api#get_matrixclientv3pushrulesglobal
func (a *API) getGlobalRules(w http.ResponseWriter, r *http.Request, s account.Session) error {
	rs, err := a.Push.Rules(r.Context(), s.User)
	if err != nil {
		return err
	}
	return wire.Answer(w, rs.Global())
}

// ruleKind returns the kind of the request's path.
func ruleKind(r *http.Request) (string, error) {
	kind := r.PathValue("kind")
	if !slices.Contains(push.Kinds(), kind) {
		return "", matrix.Errorf(http.StatusBadRequest, matrix.MInvalidParam, "There are no push rules of kind %q", kind)
	}
	return kind, nil
}

func (a *API) rule(r *http.Request, s account.Session) (*push.Rule, error) {
	kind, err := ruleKind(r)
	if err != nil {
		return nil, err
	}
	rs, err := a.Push.Rules(r.Context(), s.User)
	if err != nil {
		return nil, err
	}
	return rs.Find(kind, r.PathValue("ruleId"))
}

func (a *API) getRule(w http.ResponseWriter, r *http.Request, s account.Session) error {
	rule, err := a.rule(r, s)
	if err != nil {
		return err
	}
	return wire.Answer(w, rule)
}

func (a *API) getRuleEnabled(w http.ResponseWriter, r *http.Request, s account.Session) error {
	rule, err := a.rule(r, s)
	if err != nil {
		return err
	}
	return wire.Answer(w, map[string]bool{"enabled": rule.Enabled})
}

func (a *API) getRuleActions(w http.ResponseWriter, r *http.Request, s account.Session) error {
	rule, err := a.rule(r, s)
	if err != nil {
		return err
	}
	return wire.Answer(w, map[string][]json.RawMessage{"actions": rule.Actions})
}

// spec: client-server-api#put_matrixclientv3pushrulesglobalkindruleid
func (a *API) putRule(w http.ResponseWriter, r *http.Request, s account.Session) error {
	kind, err := ruleKind(r)
	if err != nil {
		return err
	}
	var q struct {
		Actions    *[]json.RawMessage `json:"actions"`
		Conditions []push.Condition   `json:"conditions"`
		Pattern    *string            `json:"pattern"`
	}
	if err := wire.Read(w, r, maxBody, &q); err != nil {
		return err
	}
	if q.Actions == nil {
		return matrix.Errorf(http.StatusBadRequest, matrix.MMissingParam, "actions is missing")
	}
	query, err := wire.Query(r)
	if err != nil {
		return err
	}
	rule := push.Rule{ID: r.PathValue("ruleId"), Enabled: true, Actions: *q.Actions, Conditions: q.Conditions, Pattern: q.Pattern}
	if err := a.Push.Put(r.Context(), s.User, kind, rule, query.Get("before"), query.Get("after")); err != nil {
		return err
	}
	return wire.Empty(w)
}

// spec: client-server-api#delete_matrixclientv3pushrulesglobalkindruleid
func (a *API) deleteRule(w http.ResponseWriter, r *http.Request, s account.Session) error {
	kind, err := ruleKind(r)
	if err != nil {
		return err
	}
	if err := a.Push.Delete(r.Context(), s.User, kind, r.PathValue("ruleId")); err != nil {
		return err
	}
	return wire.Empty(w)
}

// spec: client-server-api#put_matrixclientv3pushrulesglobalkindruleidenabled
func (a *API) putRuleEnabled(w http.ResponseWriter, r *http.Request, s account.Session) error {
	kind, err := ruleKind(r)
	if err != nil {
		return err
	}
	var q struct {
		Enabled *bool `json:"enabled"`
	}
	if err := wire.Read(w, r, maxBody, &q); err != nil {
		return err
	}
	if q.Enabled == nil {
		return matrix.Errorf(http.StatusBadRequest, matrix.MMissingParam, "enabled is missing")
	}
	if err := a.Push.SetEnabled(r.Context(), s.User, kind, r.PathValue("ruleId"), *q.Enabled); err != nil {
		return err
	}
	return wire.Empty(w)
}

// spec: client-server-api#put_matrixclientv3pushrulesglobalkindruleidactions
func (a *API) putRuleActions(w http.ResponseWriter, r *http.Request, s account.Session) error {
	kind, err := ruleKind(r)
	if err != nil {
		return err
	}
	var q struct {
		Actions *[]json.RawMessage `json:"actions"`
	}
	if err := wire.Read(w, r, maxBody, &q); err != nil {
		return err
	}
	if q.Actions == nil {
		return matrix.Errorf(http.StatusBadRequest, matrix.MMissingParam, "actions is missing")
	}
	if err := a.Push.SetActions(r.Context(), s.User, kind, r.PathValue("ruleId"), *q.Actions); err != nil {
		return err
	}
	return wire.Empty(w)
}
