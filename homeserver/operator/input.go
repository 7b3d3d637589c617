package operator

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// maxLine bounds what is read of a line, in bytes.
const maxLine = 64 << 10

// readLine reads one line without its end.
func readLine(in io.Reader) (string, error) {
	if in == nil {
		return "", errors.New("there is no standard input")
	}
	line, err := bufio.NewReaderSize(io.LimitReader(in, maxLine), 1).ReadString('\n')
	if err != nil && (err != io.EOF || line == "") {
		return "", fmt.Errorf("reading standard input: %w", err)
	}
	return strings.TrimRight(line, "\r\n"), nil
}

// terminal returns the terminal that in is, nil if it is none.
func terminal(in io.Reader) *os.File {
	f, ok := in.(*os.File)
	if !ok {
		return nil
	}
	if _, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS); err != nil {
		return nil
	}
	return f
}

// password asks twice at a terminal, without showing what is typed, and otherwise reads one line.
func (c *call) password(ctx context.Context) (string, error) {
	t := terminal(c.std.In)
	if t == nil {
		line, err := readLine(c.std.In)
		if err != nil || line == "" {
			return "", errors.New("there is no password on standard input (--generate makes one)")
		}
		return line, nil
	}
	first, err := c.hidden(ctx, t, "New password: ")
	if err != nil {
		return "", err
	}
	again, err := c.hidden(ctx, t, "The same again: ")
	switch {
	case err != nil:
		return "", err
	case first != again:
		return "", errors.New("the two passwords differ, nothing was changed")
	case first == "":
		return "", errors.New("a password cannot be empty (--generate makes one)")
	}
	return first, nil
}

// hidden asks for a line that is not shown.
func (c *call) hidden(ctx context.Context, t *os.File, prompt string) (string, error) {
	fmt.Fprint(c.std.Err, prompt)
	defer fmt.Fprintln(c.std.Err)
	before, err := unix.IoctlGetTermios(int(t.Fd()), unix.TCGETS)
	if err != nil {
		return "", fmt.Errorf("asking for a password: %w", err)
	}
	quiet := *before
	quiet.Lflag &^= unix.ECHO
	if err := unix.IoctlSetTermios(int(t.Fd()), unix.TCSETS, &quiet); err != nil {
		return "", fmt.Errorf("asking for a password: %w", err)
	}
	defer unix.IoctlSetTermios(int(t.Fd()), unix.TCSETS, before)
	return typed(ctx, t)
}

// typed reads a line from a terminal, or gives up when ctx ends: after Ctrl-C the terminal must be as it was.
func typed(ctx context.Context, t *os.File) (string, error) {
	type answer struct {
		line string
		err  error
	}
	got := make(chan answer, 1)
	go func() { // ends with a line, or with the process
		line, err := readLine(t)
		got <- answer{line, err}
	}()
	select {
	case a := <-got:
		return a.line, a.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// newPassword returns a password for a request: nil if the server is to generate one.
func (c *call) newPassword(ctx context.Context, generate bool) (*string, error) {
	if generate {
		return nil, nil
	}
	p, err := c.password(ctx)
	return &p, err
}

// confirm asks before something that cannot be undone, unless yes says that the answer is known.
func (c *call) confirm(ctx context.Context, yes bool, what string) error {
	if yes {
		return nil
	}
	t := terminal(c.std.In)
	if t == nil {
		return fault("%s cannot be undone: say --yes if you mean it", what)
	}
	fmt.Fprintf(c.std.Err, "%s cannot be undone. Type yes to go on: ", what)
	if line, err := typed(ctx, t); err != nil || line != "yes" {
		return errors.New("nothing was changed")
	}
	return nil
}
