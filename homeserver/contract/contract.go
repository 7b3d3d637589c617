// Package contract reads the specification's API definitions and checks answers against them.
//
// The definitions are OpenAPI documents, one for each module of the Client-Server API, in a checkout of the
// specification (data/api/client-server). They are no part of this repository: Folder looks for them beside it, and
// what depends on them passes without where they are not. Answers are judged by their status, by the JSON Schema of
// that status, and, where they refuse something, by the standard form of errors.
package contract

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Operation is one operation of the API.
type Operation struct {
	ID         string // operationId
	Method     string
	Path       string // with {placeholders}, from the root: /_matrix/client/v3/sync
	File       string // the definition's file name, without .yaml
	Deprecated bool
	answers    map[string]string // where the JSON Schema of each status is, "" if it has none
}

// Contract is the whole of the definitions. Its methods may be called by several goroutines at once.
type Contract struct {
	Operations []Operation // by path, then by method

	folder string

	mu       sync.Mutex // guards compiler and schemas
	compiler *jsonschema.Compiler
	schemas  map[string]*jsonschema.Schema // by where they are
}

// Folder returns the folder of the Client-Server API's definitions: in the checkout of the specification that stands, as
// shared/spec, beside the repository of the working directory. It returns "" if there is none.
func Folder() string {
	folder, err := os.Getwd()
	for err == nil {
		if _, err := os.Stat(filepath.Join(folder, "go.mod")); err == nil {
			break
		}
		if folder == filepath.Dir(folder) {
			return ""
		}
		folder = filepath.Dir(folder)
	}
	definitions := filepath.Join(filepath.Dir(folder), "shared", "spec", "data", "api", "client-server")
	if _, err := os.Stat(definitions); err != nil {
		return ""
	}
	return definitions
}

// Open reads the definitions in a folder.
func Open(folder string) (*Contract, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("there are no API definitions in %s", folder)
	}
	c := &Contract{folder: folder, compiler: jsonschema.NewCompiler(), schemas: make(map[string]*jsonschema.Schema)}
	c.compiler.UseLoader(loader{})
	for _, name := range files {
		if err := c.add(name); err != nil {
			return nil, fmt.Errorf("reading %s: %w", name, err)
		}
	}
	slices.SortFunc(c.Operations, func(a, b Operation) int {
		return strings.Compare(a.Path+" "+a.Method, b.Path+" "+b.Method)
	})
	return c, nil
}

// definition is what is read here of one file.
type definition struct {
	Servers []struct {
		Variables struct {
			BasePath struct {
				Default string `json:"default"`
			} `json:"basePath"`
		} `json:"variables"`
	} `json:"servers"`
	Paths map[string]map[string]json.RawMessage `json:"paths"`
}

func (c *Contract) add(name string) error {
	data, err := readYAML(name)
	if err != nil {
		return err
	}
	var d definition
	if err := json.Unmarshal(data, &d); err != nil {
		return err
	}
	if len(d.Servers) == 0 {
		return nil // definitions that others refer to
	}
	for path, methods := range d.Paths {
		for method, raw := range methods {
			if method == "parameters" || method == "summary" || method == "description" {
				continue
			}
			op, err := readOperation(raw, (&url.URL{Scheme: "file", Path: name}).String()+"#"+pointer("paths", path, method, "responses"))
			if err != nil {
				return fmt.Errorf("%s %s: %w", method, path, err)
			}
			// Two operations of one path are told apart by a blank behind it.
			op.Method, op.Path = strings.ToUpper(method), d.Servers[0].Variables.BasePath.Default+strings.TrimSpace(path)
			op.File = strings.TrimSuffix(filepath.Base(name), ".yaml")
			c.Operations = append(c.Operations, op)
		}
	}
	return nil
}

func readOperation(raw []byte, at string) (Operation, error) {
	var o struct {
		ID         string `json:"operationId"`
		Deprecated bool   `json:"deprecated"`
		Responses  map[string]struct {
			Content map[string]struct {
				Schema json.RawMessage `json:"schema"`
			} `json:"content"`
		} `json:"responses"`
	}
	if err := json.Unmarshal(raw, &o); err != nil {
		return Operation{}, err
	}
	op := Operation{ID: o.ID, Deprecated: o.Deprecated, answers: make(map[string]string)}
	for status, answer := range o.Responses {
		op.answers[status] = ""
		if answer.Content["application/json"].Schema != nil {
			op.answers[status] = at + pointer(status, "content", "application/json", "schema")
		}
	}
	return op, nil
}

// pointer returns a JSON pointer as it stands in a URL's fragment.
func pointer(tokens ...string) string {
	var out strings.Builder
	for _, t := range tokens {
		t = strings.ReplaceAll(strings.ReplaceAll(t, "~", "~0"), "/", "~1")
		out.WriteString("/" + url.PathEscape(t))
	}
	return out.String()
}

// Find returns the operation that a request asks for, nil if the definitions have none. The path is as it was sent.
func (c *Contract) Find(method, path string) *Operation {
	var found *Operation
	for i := range c.Operations {
		op := &c.Operations[i]
		if op.Method == method && op.matches(path) && (found == nil || op.literal() > found.literal()) {
			found = op
		}
	}
	return found
}

// matches reports whether a path is one of the operation's: a placeholder stands for any one segment.
func (o *Operation) matches(path string) bool {
	want, got := strings.Split(o.Path, "/"), strings.Split(path, "/")
	if len(want) != len(got) {
		return false
	}
	for i, segment := range want {
		if !strings.HasPrefix(segment, "{") && segment != got[i] {
			return false
		}
	}
	return true
}

// literal counts the segments that are no placeholders.
func (o *Operation) literal() int { return strings.Count(o.Path, "/") - strings.Count(o.Path, "{") }

// Check returns in what an answer breaks the contract, nil in nothing. Requests of unknown operations may be
// answered with anything.
func (c *Contract) Check(method, path string, status int, body []byte) error {
	op := c.Find(method, path)
	if op == nil {
		return nil
	}
	schema, documented := op.answers[strconv.Itoa(status)]
	if !documented && status >= http.StatusBadRequest || refusesToken(status, body) {
		return checkError(op, status, body) // any operation may be refused
	}
	if !documented {
		return fmt.Errorf("%s: the specification knows no answer %d", op.ID, status)
	}
	if schema == "" {
		return nil
	}
	if err := c.validate(schema, body); err != nil {
		return fmt.Errorf("%s: the answer %d breaks the specification: %w", op.ID, status, err)
	}
	if op.ID == "sync" && status == http.StatusOK {
		return c.checkServed(body)
	}
	return nil
}

// refusesToken reports whether an answer says that the access token is not good, which it may of any operation.
// spec: client-server-api#using-access-tokens
func refusesToken(status int, body []byte) bool {
	var e struct {
		Code string `json:"errcode"`
	}
	return status == http.StatusUnauthorized && json.Unmarshal(body, &e) == nil &&
		(e.Code == "M_MISSING_TOKEN" || e.Code == "M_UNKNOWN_TOKEN" || e.Code == "M_USER_LOCKED")
}

// checkError checks the form that all refusals have.
// spec: client-server-api#standard-error-response
func checkError(op *Operation, status int, body []byte) error {
	var e struct {
		Code    *string          `json:"errcode"`
		Message *string          `json:"error"`
		Flows   *json.RawMessage `json:"flows"`
	}
	switch err := json.Unmarshal(body, &e); {
	case err != nil:
		return fmt.Errorf("%s: the refusal %d is not an object: %w", op.ID, status, err)
	case status == http.StatusUnauthorized && e.Flows != nil:
		return nil // asks for interactive authentication
	case e.Code == nil || e.Message == nil:
		return fmt.Errorf("%s: the refusal %d lacks errcode or error", op.ID, status)
	}
	return nil
}

func (c *Contract) validate(at string, body []byte) error {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("not JSON: %w", err)
	}
	schema, err := c.schema(at)
	if err != nil {
		return fmt.Errorf("reading the definition: %w", err)
	}
	if err := schema.Validate(value); err != nil {
		_, faults, _ := strings.Cut(err.Error(), "\n") // what is cut is the schema's place
		return errors.New(faults)
	}
	return nil
}

func (c *Contract) schema(at string) (*jsonschema.Schema, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.schemas[at]; s != nil {
		return s, nil
	}
	s, err := c.compiler.Compile(at)
	if err == nil {
		c.schemas[at] = s
	}
	return s, err
}
