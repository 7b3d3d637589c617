package settings

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// field is one setting: its dotted key, its manual, and where its value lives.
type field struct {
	key    string
	doc    string
	secret bool
	value  reflect.Value
}

// fields are a program's settings in the order of its struct.
type fields []field

// fieldsOf lists the settings of cfg, which must be a pointer to a struct. Its errors are the programmer's.
func fieldsOf(cfg any) (fields, error) {
	v := reflect.ValueOf(cfg)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		return nil, fmt.Errorf("%T is not a pointer to a struct", cfg)
	}
	return appendFields(nil, "", v.Elem())
}

func appendFields(to fields, prefix string, v reflect.Value) (fields, error) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name, tagged := f.Tag.Lookup("toml")
		if !tagged || name == "-" {
			continue
		}
		key, doc := prefix+name, f.Tag.Get("doc")
		var err error
		switch value := v.Field(i); {
		case !f.IsExported():
			err = fmt.Errorf("setting %s is not exported", key)
		case isLeaf(value):
			if doc == "" {
				err = fmt.Errorf("setting %s has no doc", key)
			}
			to = append(to, field{key, doc, f.Tag.Get("secret") == "true", value})
		case value.Kind() == reflect.Struct:
			to, err = appendFields(to, key+".", value)
		default:
			err = fmt.Errorf("setting %s has the unsupported type %s", key, value.Type())
		}
		if err != nil {
			return nil, err
		}
	}
	return to, nil
}

func isLeaf(v reflect.Value) bool {
	if _, ok := asText(v); ok {
		return true
	}
	switch v.Kind() {
	case reflect.String, reflect.Bool, reflect.Float32, reflect.Float64:
		return true
	case reflect.Slice:
		return v.Type().Elem().Kind() == reflect.String
	}
	return v.CanInt() || v.CanUint()
}

// asText returns v as its own reader of text, if its type has one and can also write itself.
func asText(v reflect.Value) (encoding.TextUnmarshaler, bool) {
	p := v.Addr().Interface()
	if _, ok := p.(encoding.TextMarshaler); !ok {
		return nil, false
	}
	u, ok := p.(encoding.TextUnmarshaler)
	return u, ok
}

func (fs fields) find(key string) (field, bool) {
	for _, f := range fs {
		if f.key == key {
			return f, true
		}
	}
	return field{}, false
}

// set applies one -set argument.
func (fs fields) set(arg string) error {
	key, text, ok := strings.Cut(arg, "=")
	if !ok {
		return &Error{Err: fmt.Errorf("-set %s: want key=value", arg)}
	}
	f, ok := fs.find(key)
	if !ok {
		return &Error{Key: key, Err: fs.unknown(key, printHint)}
	}
	if err := f.assignText(text); err != nil {
		return &Error{Key: key, Err: err}
	}
	return nil
}

// printHint says where a program's settings are listed.
const printHint = " (-print-config shows all)"

// unknown explains that key is no setting and names the ones that it may have been meant for, or else gives the hint.
func (fs fields) unknown(key, hint string) error {
	var near []string
	for _, f := range fs {
		if strings.HasSuffix(f.key, "."+key) || distance(f.key, key) <= 2 {
			near = append(near, f.key)
		}
	}
	if near == nil {
		return errors.New("there is no such setting" + hint)
	}
	return fmt.Errorf("there is no such setting; did you mean %s?", strings.Join(near, " or "))
}

// assignText gives f the value that text spells, as a flag does.
func (f field) assignText(text string) error {
	v := f.value
	switch {
	case v.Kind() == reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("%q is neither true nor false", text)
		}
		return f.assign(b)
	case v.Kind() == reflect.Slice:
		if text == "" {
			return f.assign([]any{})
		}
		var list []any
		for s := range strings.SplitSeq(text, ",") {
			list = append(list, strings.TrimSpace(s))
		}
		return f.assign(list)
	case isText(v):
		return f.assign(text)
	case v.CanFloat():
		n, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return fmt.Errorf("%q is not a number", text)
		}
		return f.assign(n)
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return fmt.Errorf("%q is not a whole number", text)
	}
	return f.assign(n)
}

// isText reports whether a setting of v's type is written as a string.
func isText(v reflect.Value) bool {
	_, ok := asText(v)
	return ok || v.Kind() == reflect.String || v.Type() == reflect.TypeFor[time.Duration]()
}

// assign gives f the value in, of a type that TOML has: string, bool, int64, float64, []any.
func (f field) assign(in any) error {
	v := f.value
	switch in := in.(type) {
	case string:
		if isText(v) {
			return assignString(v, in)
		}
	case bool:
		if v.Kind() == reflect.Bool {
			v.SetBool(in)
			return nil
		}
	case int64:
		return assignInt(v, in)
	case float64:
		if v.CanFloat() {
			v.SetFloat(in)
			return nil
		}
	case []any:
		if v.Kind() == reflect.Slice {
			return assignList(v, in)
		}
	}
	return wrongKind(v)
}

func assignString(v reflect.Value, s string) error {
	if text, ok := asText(v); ok {
		return text.UnmarshalText([]byte(s))
	}
	if v.Kind() == reflect.String {
		v.SetString(s)
		return nil
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return fmt.Errorf(`%q is not a duration such as "5ms" or "1h30m"`, s)
	}
	v.SetInt(int64(d))
	return nil
}

func assignInt(v reflect.Value, n int64) error {
	switch _, bytes := v.Interface().(Bytes); {
	case isText(v) && !bytes:
		return wrongKind(v)
	case bytes && n < 0:
		return fmt.Errorf("%d is negative", n)
	case v.CanFloat():
		v.SetFloat(float64(n))
	case v.CanInt() && !v.OverflowInt(n):
		v.SetInt(n)
	case v.CanUint() && n >= 0 && !v.OverflowUint(uint64(n)):
		v.SetUint(uint64(n))
	case v.CanInt() || v.CanUint():
		return fmt.Errorf("%d is out of range", n)
	default:
		return wrongKind(v)
	}
	return nil
}

func assignList(v reflect.Value, list []any) error {
	out := reflect.MakeSlice(v.Type(), len(list), len(list))
	for i, item := range list {
		s, ok := item.(string)
		if !ok {
			return wrongKind(v)
		}
		out.Index(i).SetString(s)
	}
	v.Set(out)
	return nil
}

// wrongKind says which kind of value v wants.
func wrongKind(v reflect.Value) error {
	switch {
	case v.Type() == reflect.TypeFor[Bytes]():
		return errors.New(`want a size such as "64MiB"`)
	case v.Type() == reflect.TypeFor[time.Duration]():
		return errors.New(`want a duration such as "5ms"`)
	case v.Kind() == reflect.Bool:
		return errors.New("want true or false")
	case v.Kind() == reflect.Slice:
		return errors.New(`want a list of strings such as ["a", "b"]`)
	case isText(v):
		return errors.New(`want a string, in quotes`)
	case v.CanFloat():
		return errors.New("want a number")
	}
	return errors.New("want a whole number")
}
