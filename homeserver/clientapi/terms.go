package clientapi

import (
	"context"
	"errors"
	"net/url"
)

// stageTerms is completed by who accepts the terms.
// spec: client-server-api#terms-of-service-at-registration
const stageTerms = "m.login.terms"

// Terms are what people must accept to register, if there is a URL.
type Terms struct {
	Name    string `toml:"name" doc:"What people call the document that they must accept to register."`
	URL     string `toml:"url" doc:"Its URL, http or https; empty if there is none."`
	Version string `toml:"version" doc:"Its version, such as 1.2."`
}

// Check refuses what clients could not show.
func (t Terms) Check() error {
	if t.URL == "" {
		return nil
	}
	u, err := url.Parse(t.URL)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return errors.New("the terms want an http or https URL")
	}
	if t.Name == "" || t.Version == "" {
		return errors.New("the terms want a name and a version")
	}
	return nil
}

// stage is the stage that is completed by saying so.
func (t Terms) stage() stage {
	document := map[string]any{"version": t.Version, "en": map[string]string{"name": t.Name, "url": t.URL}}
	return stage{
		params: map[string]any{"policies": map[string]any{"terms_of_service": document}},
		check:  func(context.Context, string, []byte) (string, error) { return t.Version, nil },
	}
}
