package main

import (
	"cmp"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// volatile lists the members whose values two servers make up for themselves: tokens, times, texts for people. Only
// their types are compared.
var volatile = strings.Fields(`access_token refresh_token login_token session device_id next_batch prev_batch start end next_token
	since error origin_server_ts age ts last_active_ago last_seen_ts last_seen_ip last_seen_user_agent expires_in
	expires_in_ms received_ts event_id_hash filter_id nonce txn_id soft_logout_text pos creation_ts upload_id
	sha256 signature timestamp rank home_server available_until base_url`)

// ids matches identifiers that a server makes up.
var ids = regexp.MustCompile(`^[!$][A-Za-z0-9_/+-]{10,}(:judge\.test)?$`)

// normal is an answer without what differs from server to server: a decoded JSON value in which ids that a variable
// holds are the variable's name, other ids "$…" and "!…", volatile values their types, and sets in order.
func normal(a *answer, s *step) any {
	n := normaliser{names: a.names, sets: s.unordered}
	return n.value(a.body, "", "")
}

type normaliser struct {
	names map[string]string // variables by value
	sets  []string          // paths of arrays whose order says nothing
}

// value normalises a value that is the member name of an object, or an element of that, at a path.
func (n normaliser) value(v any, name, path string) any {
	if slices.Contains(volatile, name) || strings.HasPrefix(name, "ed25519:") {
		return typed(v)
	}
	switch v := v.(type) {
	case map[string]any:
		return n.object(v, path)
	case []any:
		return n.array(v, name, path)
	case string:
		return n.text(v)
	}
	return v
}

func (n normaliser) object(v map[string]any, path string) any {
	out := make(map[string]any, len(v))
	v = n.withoutFreedoms(v)
	for _, key := range slices.Sorted(maps.Keys(v)) {
		name := n.text(key)
		if strings.HasPrefix(key, "ed25519:") {
			name = "ed25519:…"
		}
		for _, taken := out[name]; taken; _, taken = out[name] {
			name += "'"
		}
		out[name] = n.value(v[key], key, join(path, name))
	}
	return out
}

func (n normaliser) array(v []any, name, path string) any {
	if name == "events" && strings.HasSuffix(path, "ephemeral.events") {
		v = n.gatherReceipts(v)
	}
	out := make([]any, len(v))
	for i := range v {
		out[i] = n.value(v[i], name, path+"[*]")
	}
	if n.isSet(path) {
		slices.SortStableFunc(out, func(a, b any) int { return cmp.Compare(sortKey(a), sortKey(b)) })
	}
	return out
}

// alwaysSets matches the paths of arrays that have no order by the specification.
var alwaysSets = regexp.MustCompile(`(^|\.)(state|state_after|account_data|presence|ephemeral|to_device|invite_state|knock_state)\.events$` +
	`|^joined_rooms$|^account_data$|^joined$|^aliases$|^(device_lists\.)?(changed|left)$|^devices$|^pushers$|^$` +
	`|(^|\.)flows$|^versions$|\.m\.heroes$|^allowed_room_ids$|\.user_ids$|^state$|\.children_state$|\.(conditions|actions)$`)

func (n normaliser) isSet(path string) bool {
	return alwaysSets.MatchString(path) || slices.Contains(n.sets, path)
}

// sortKey orders the elements of a set: events by type, state key, sender, and then everything by its JSON.
func sortKey(v any) string {
	object, _ := v.(map[string]any)
	var key []string
	for _, name := range []string{"type", "state_key", "sender"} {
		part, _ := object[name].(string)
		key = append(key, part)
	}
	encoded, _ := json.Marshal(v) // it was JSON
	return strings.Join(append(key, string(encoded)), "\x00")
}

func (n normaliser) text(s string) string {
	if name, ok := n.names[s]; ok && s != "" {
		return name
	}
	if ids.MatchString(s) {
		return s[:1] + "…"
	}
	return s
}

// typed is a word for the type of a value.
func typed(v any) any {
	switch v.(type) {
	case string:
		return word("a string")
	case json.Number:
		return word("a number")
	case bool:
		return word("a boolean")
	case []any:
		return word("an array")
	case map[string]any:
		return word("an object")
	}
	return word("null")
}

// A word stands for a value in a normalised answer.
type word string

// join appends a member's name to a path.
func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// gatherReceipts puts the receipts of all events of a list into one, each under its thread: a server may tell of them in
// as many events as it likes.
func (n normaliser) gatherReceipts(events []any) []any {
	var rest []any
	all := make(map[string]any)
	for _, e := range events {
		o, _ := e.(map[string]any)
		content, _ := o["content"].(map[string]any)
		if o["type"] != "m.receipt" {
			rest = append(rest, e)
			continue
		}
		for event, kinds := range content {
			for kind, users := range objectOf(kinds) {
				for user, receipt := range objectOf(users) {
					thread, _ := objectOf(receipt)["thread_id"].(string)
					inside(inside(inside(all, event), kind), user)["thread:"+n.text(thread)] = receipt
				}
			}
		}
	}
	if len(all) == 0 {
		return rest
	}
	return append(rest, map[string]any{"type": "m.receipt", "content": all})
}

func objectOf(v any) map[string]any {
	o, _ := v.(map[string]any)
	return o
}

// inside returns the object that is a member of an object, and makes it if there is none.
func inside(o map[string]any, name string) map[string]any {
	if _, ok := o[name]; !ok {
		o[name] = make(map[string]any)
	}
	return objectOf(o[name])
}

// withoutFreedoms leaves out of the state of a room in a sync what the timeline sets anew: a server may say how that was
// before, or not.
func (n normaliser) withoutFreedoms(room map[string]any) map[string]any {
	state, ok := objectOf(room["state"])["events"].([]any)
	timeline, too := objectOf(room["timeline"])["events"].([]any)
	if !too {
		return room
	}
	set := make(map[string]bool)
	for _, e := range timeline {
		set[stateKey(e)] = true
	}
	room = maps.Clone(room)
	if ok {
		room["state"] = map[string]any{"events": slices.DeleteFunc(slices.Clone(state), func(e any) bool { return set[stateKey(e)] })}
	}
	return room
}

// stateKey is what an event is the state of; all that are no state have the same.
func stateKey(e any) string {
	o := objectOf(e)
	kind, _ := o["type"].(string)
	key, isState := o["state_key"].(string)
	if !isState {
		return ""
	}
	return kind + "\x00" + key
}
