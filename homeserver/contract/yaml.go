package contract

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"os"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

// loader gives the compiler of schemas the files that they refer to.
type loader struct{}

// Load implements jsonschema.URLLoader.
func (loader) Load(at string) (any, error) {
	u, err := url.Parse(at)
	if err != nil {
		return nil, err
	}
	data, err := readYAML(u.Path)
	if err != nil {
		return nil, err
	}
	return jsonschema.UnmarshalJSON(bytes.NewReader(data))
}

// readYAML reads a file of YAML, or of JSON, as JSON.
func readYAML(name string) ([]byte, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var value any
	if err := yaml.Unmarshal(data, &value); err != nil {
		return nil, err
	}
	return json.Marshal(named(value))
}

// named gives the members of maps names: YAML has maps whose keys are numbers. And it reads oneOf as anyOf: the
// alternatives of the definitions overlap (an event is also any object), which is not a fault of an answer.
func named(value any) any {
	switch v := value.(type) {
	case map[any]any:
		out := make(map[string]any, len(v))
		for k, member := range v {
			out[fmt.Sprint(k)] = named(member)
		}
		return out
	case map[string]any:
		for k, member := range v {
			v[k] = named(member)
		}
		if alternatives, ok := v["oneOf"].([]any); ok && v["anyOf"] == nil {
			delete(v, "oneOf")
			v["anyOf"] = alternatives
		}
	case []any:
		for i, element := range v {
			v[i] = named(element)
		}
	}
	return value
}
