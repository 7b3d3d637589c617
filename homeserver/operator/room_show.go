package operator

import (
	"context"
	"strconv"

	"hearth/homeserver/administration"
)

func roomShow() verb {
	return verb{
		name: "room show", args: []string{"ROOM"}, short: "show a room",
		help: `
Shows what is known of a room, and who is in it from here.

  homeserver admin room show '!AbCdEf:example.org'

A shell takes ! for itself: quote the id.`,
		run: func(ctx context.Context, c *call) error {
			var r administration.RoomDetails
			return c.get(ctx, path("rooms", c.args[0]), &r, func() { c.showRoom(&r) })
		},
	}
}

func (c *call) showRoom(r *administration.RoomDetails) {
	c.facts("room", string(r.ID), "name", r.Name, "topic", r.Topic, "version", string(r.Version),
		"creator", string(r.Creator), "created", moment(r.Created), "joining", r.JoinRule, "history", r.History,
		"properties", list(when(r.Encrypted, "encrypted"), when(r.Space, "space"), when(r.Published, "published")),
		"replaced by", string(r.Tombstoned), "members", strconv.FormatInt(r.Members, 10), "invited", strconv.FormatInt(r.Invited, 10),
		"events", strconv.FormatInt(r.Events, 10), "state events", strconv.Itoa(r.StateEvents))
	for _, a := range r.Aliases {
		c.facts("alias", string(a))
	}
	for _, u := range r.Local {
		c.facts("member", string(u))
	}
	if r.LocalsLeft {
		c.say("and more members")
	}
}
