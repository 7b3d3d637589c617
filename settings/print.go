package settings

import (
	"encoding"
	"flag"
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
)

// docWidth is where the lines of a doc are broken, in bytes without the "# ".
const docWidth = 98

// printHelp writes the flags, and the settings with their values so far.
func printHelp(w io.Writer, flags *flag.FlagSet, fields fields) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Usage of %s:\n", flags.Name())
	flags.SetOutput(&b)
	flags.PrintDefaults()
	b.WriteString("\nThe settings, with their defaults:\n\n")
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("printing the flags: %w", err)
	}
	return printFields(w, fields)
}

// printFields writes every setting as TOML below its doc, and returns ErrPrinted.
func printFields(w io.Writer, fields fields) error {
	var b strings.Builder
	for i, f := range fields {
		if i > 0 {
			b.WriteByte('\n')
		}
		for _, line := range wrap(f.doc, docWidth) {
			fmt.Fprintf(&b, "# %s\n", line)
		}
		if f.secret && !f.value.IsZero() {
			fmt.Fprintf(&b, "# %s is set, and not shown\n", f.key)
			continue
		}
		value, err := spell(f.value)
		if err != nil {
			return fmt.Errorf("printing the setting %s: %w", f.key, err)
		}
		fmt.Fprintf(&b, "%s = %s\n", f.key, value)
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("printing the settings: %w", err)
	}
	return ErrPrinted
}

// spell writes v as a TOML value.
func spell(v reflect.Value) (string, error) {
	in := v.Interface()
	switch {
	case v.Type() == reflect.TypeFor[time.Duration]():
		in = v.Interface().(time.Duration).String()
	case v.Kind() == reflect.Slice && v.IsNil():
		in = []string{}
	default:
		if text, ok := v.Addr().Interface().(encoding.TextMarshaler); ok {
			spelt, err := text.MarshalText()
			if err != nil {
				return "", err
			}
			in = string(spelt)
		}
	}
	line, err := toml.Marshal(map[string]any{"v": in})
	return strings.TrimSpace(strings.TrimPrefix(string(line), "v = ")), err
}

// wrap breaks text at spaces into lines of at most width bytes, or one word if that is longer.
func wrap(text string, width int) []string {
	var lines []string
	for word := range strings.FieldsSeq(text) {
		if n := len(lines) - 1; n >= 0 && len(lines[n])+1+len(word) <= width {
			lines[n] += " " + word
		} else {
			lines = append(lines, word)
		}
	}
	return lines
}
