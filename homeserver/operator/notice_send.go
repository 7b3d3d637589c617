package operator

import (
	"context"
	"errors"
	"flag"
	"io"
	"net/http"
	"strings"

	"hearth/homeserver/administration"
)

func noticeSend() verb {
	var q administration.Notice
	return verb{
		name: "notice send", short: "send a message as the server",
		help: `
Sends a text, read from standard input, to a user or to all. It comes from the server's own user (the setting
server_notices.user) in a room that clients show as official, and to which a user cannot refuse to be invited.

  homeserver admin notice send --user alice < text.txt
  homeserver admin notice send --all < text.txt`,
		flags: func(f *flag.FlagSet) {
			f.StringVar(&q.User, "user", "", "to this `USER`")
			f.BoolVar(&q.All, "all", false, "to everybody")
		},
		run: func(ctx context.Context, c *call) error {
			if q.All == (q.User != "") {
				return fault("say to whom, by --user USER or --all")
			}
			var err error
			if q.Body, err = c.text(); err != nil {
				return err
			}
			var out administration.NoticeSent
			return c.ask(ctx, http.MethodPost, path("notices"), q, &out, func() {
				c.say("sent to %d", out.Sent)
				for _, f := range out.Failed {
					c.say("not sent to %s: %s", clean(string(f.User)), clean(lowerFirst(f.Error)))
				}
			})
		},
	}
}

// text reads all of standard input.
func (c *call) text() (string, error) {
	if terminal(c.std.In) != nil {
		c.std.Err.Write([]byte("Write the text, and end it by Ctrl-D:\n"))
	}
	if c.std.In == nil {
		return "", errors.New("there is no text on standard input")
	}
	all, err := io.ReadAll(io.LimitReader(c.std.In, maxLine))
	if text := strings.TrimSpace(string(all)); err == nil && text != "" {
		return text, nil
	}
	return "", errors.New("there is no text on standard input")
}
