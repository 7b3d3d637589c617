// Package settings reads a program's settings: its struct's defaults, then a file, then flags.
//
// A program describes its settings by one struct whose values are the defaults and whose tags are the manual:
//
//	type Config struct {
//		Listen string         `toml:"listen" doc:"TCP address, host:port, that clients connect to."`
//		Cache  settings.Bytes `toml:"cache" doc:"Memory kept for reads."`
//		Secret string         `toml:"secret" doc:"For tests; prefer secret_file." secret:"true"`
//	}
//
// Fields are strings, booleans, integers, floats, time.Duration, Bytes, []string, whatever implements
// encoding.TextUnmarshaler and encoding.TextMarshaler (slog.Level for one), and structs of these, whose
// keys are joined with dots. A field without a toml tag is no setting. A setting without a doc is an error.
//
// The file is TOML. Every key in it and in -set must be a setting: a mistyped one is an error that names
// the key and its line, never ignored. The same words that -print-config writes can be read back.
package settings

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
)

// ErrPrinted is what Load returns when it was asked to print (-h, -print-config) and has done so: the
// program should end, and well.
var ErrPrinted = errors.New("printed what was asked for")

// Error is a fault in what the owner wrote. Starting again without changing it fails again.
type Error struct {
	Key  string // the setting, dotted; empty when the fault is in the flags or the file as a whole
	File string // the file it stands in; empty for flags
	Line int    // the line in File, from 1; 0 when unknown
	Err  error  // what is wrong
}

// Error names the place, the setting and the fault, in this order.
func (e *Error) Error() string {
	var b strings.Builder
	if e.File != "" {
		b.WriteString(e.File)
		if e.Line > 0 {
			fmt.Fprintf(&b, ":%d", e.Line)
		}
		b.WriteString(": ")
	}
	if e.Key != "" {
		fmt.Fprintf(&b, "setting %s: ", e.Key)
	}
	return b.String() + e.Err.Error()
}

// Unwrap returns the fault without its place.
func (e *Error) Unwrap() error { return e.Err }

// Invalid returns an *Error about the setting key, for faults that only the program itself can find.
func Invalid(key, format string, args ...any) error {
	return &Error{Key: key, Err: fmt.Errorf(format, args...)}
}

// Load fills cfg, a pointer to a struct that holds the defaults: first from the TOML file named by -config,
// then from each -set key=value in turn. It returns the arguments that follow the flags.
//
// With -print-config it writes the effective settings to stdout, as TOML with every setting's doc above it,
// and with -h the flags and the settings as they would be; both return ErrPrinted. Faults in flags, file or
// values are of type *Error.
func Load(program string, cfg any, args []string, stdout io.Writer) (rest []string, err error) {
	fields, err := fieldsOf(cfg)
	if err != nil {
		return nil, fmt.Errorf("describing the settings of %s: %w", program, err)
	}
	var file string
	var sets []string
	var show bool
	flags := flag.NewFlagSet(program, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&file, "config", "", "read settings from the TOML `FILE`")
	flags.Func("set", "set one setting, as `KEY=VALUE`; may be repeated, and wins over the file", func(s string) error {
		sets = append(sets, s)
		return nil
	})
	flags.BoolVar(&show, "print-config", false, "print the effective settings as TOML, and end")

	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return nil, printHelp(stdout, flags, fields)
	case err != nil:
		return nil, &Error{Err: fmt.Errorf("%w (-h shows the flags)", err)}
	}
	if file != "" {
		if err := readFile(file, fields); err != nil {
			return nil, err
		}
	}
	for _, s := range sets {
		if err := fields.set(s); err != nil {
			return nil, err
		}
	}
	if show {
		return nil, printFields(stdout, fields)
	}
	return flags.Args(), nil
}

func readFile(file string, fields fields) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return &Error{Err: fmt.Errorf("reading the settings: %w", err)}
	}
	return fields.read(file, string(text), printHint)
}

// File is a file of settings that was read, which knows where in it each setting stands.
type File struct {
	name, text string
}

// ReadFile fills cfg, a pointer to a struct that holds the defaults, from the TOML file at path. A fault is an *Error with its
// line. With the File the caller reports faults that only it can find.
func ReadFile(path string, cfg any) (*File, error) {
	fields, err := fieldsOf(cfg)
	if err != nil {
		return nil, fmt.Errorf("describing the settings of %s: %w", path, err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, &Error{Err: fmt.Errorf("reading the settings: %w", err)}
	}
	if err := fields.read(path, string(text), fields.hint()); err != nil {
		return nil, err
	}
	return &File{path, string(text)}, nil
}

// Invalid returns an *Error about the setting key, with the line that it stands on if it is in the file.
func (f *File) Invalid(key, format string, args ...any) error {
	return &Error{Key: key, File: f.name, Line: lineOf(f.text, strings.Split(key, ".")), Err: fmt.Errorf(format, args...)}
}

// hint lists the settings, for a file whose settings no program prints.
func (fs fields) hint() string {
	keys := make([]string, len(fs))
	for i, f := range fs {
		keys[i] = f.key
	}
	return "; there are " + strings.Join(keys, ", ")
}
