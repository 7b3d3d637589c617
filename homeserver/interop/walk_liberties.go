package main

// liberally leaves out of two normalised answers to a sync what depends on liberties that Synapse takes, and that can be
// told only by the whole of the answer.
func liberally(user string, goesOn bool, reference, ours any) {
	theirs, own := objectOf(objectOf(reference)["rooms"]), objectOf(objectOf(ours)["rooms"])
	for _, part := range []string{"join", "leave"} {
		for id, room := range objectOf(theirs[part]) {
			// A timeline of a room that is new to the user is limited to Synapse, whatever there is before it.
			if hasCreation(objectOf(room)) {
				delete(objectOf(objectOf(room)["timeline"]), "limited")
				delete(objectOf(objectOf(objectOf(own[part])[id])["timeline"]), "limited")
			}
		}
	}
	for id := range objectOf(own["invite"]) {
		// Who is invited again has left before, of which Synapse tells too.
		if objectOf(objectOf(theirs["invite"])[id]) != nil {
			without(theirs, "leave", id)
			without(own, "leave", id)
		}
	}
	for id, room := range objectOf(theirs["leave"]) {
		// Who did not leave as a member has no history to see, Synapse shows some.
		if was := lastMembership(objectOf(room), "$"+user); was == "join" {
			continue
		}
		for _, rooms := range []map[string]any{theirs, own} {
			if goesOn && objectOf(objectOf(own["leave"])[id]) != nil {
				objectOf(rooms["leave"])[id] = map[string]any{}
				continue
			}
			without(rooms, "leave", id)
		}
	}
	for _, answer := range []any{reference, ours} {
		if o := objectOf(answer); o != nil && len(objectOf(o["rooms"])) == 0 {
			delete(o, "rooms")
		}
	}
}

// without deletes a room from a part of an answer, and the part if that was all.
func without(rooms map[string]any, part, id string) {
	if objectOf(rooms[part]) == nil {
		return
	}
	delete(objectOf(rooms[part]), id)
	if len(objectOf(rooms[part])) == 0 {
		delete(rooms, part)
	}
}

// eventsOf are the events of a part of a room.
func eventsOf(room map[string]any, part string) []any {
	events, _ := objectOf(room[part])["events"].([]any)
	return events
}

func hasCreation(room map[string]any) bool {
	for _, part := range []string{"state", "timeline"} {
		for _, e := range eventsOf(room, part) {
			if objectOf(e)["type"] == "m.room.create" {
				return true
			}
		}
	}
	return false
}

// lastMembership is what a user was in a room before the newest membership.
func lastMembership(room map[string]any, user string) string {
	was := ""
	for _, part := range []string{"state", "timeline"} {
		for _, e := range eventsOf(room, part) {
			o := objectOf(e)
			if o["type"] == "m.room.member" && o["state_key"] == user {
				was, _ = objectOf(objectOf(o["unsigned"])["prev_content"])["membership"].(string)
			}
		}
	}
	return was
}
