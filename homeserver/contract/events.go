package contract

import (
	"encoding/json"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
)

// served lists the events that are the server's own words. What users send may be anything.
func served() []string {
	return []string{"m.typing", "m.receipt", "m.presence", "m.push_rules", "m.fully_read", "m.tag"}
}

// checkServed checks the events of an answer to sync that are the server's own words against their schemas.
func (c *Contract) checkServed(body []byte) error {
	var answer any
	if err := json.Unmarshal(body, &answer); err != nil {
		return err
	}
	return c.walk(answer)
}

// walk looks for lists of events in a value.
func (c *Contract) walk(value any) error {
	switch v := value.(type) {
	case map[string]any:
		for name, member := range v {
			if events, ok := member.([]any); ok && name == "events" {
				if err := c.checkEvents(events); err != nil {
					return err
				}
			} else if err := c.walk(member); err != nil {
				return err
			}
		}
	case []any:
		for _, element := range v {
			if err := c.walk(element); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *Contract) checkEvents(events []any) error {
	for _, e := range events {
		object, _ := e.(map[string]any)
		typ, _ := object["type"].(string)
		if _, isState := object["state_key"]; isState || !slices.Contains(served(), typ) {
			continue
		}
		data, err := json.Marshal(e)
		if err != nil {
			return err
		}
		schema := filepath.Join(c.folder, "..", "..", "event-schemas", "schema", typ+".yaml")
		if err := c.validate((&url.URL{Scheme: "file", Path: schema}).String(), data); err != nil {
			return fmt.Errorf("an event %s breaks the specification: %w", typ, err)
		}
	}
	return nil
}
