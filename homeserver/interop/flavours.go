package main

import "fmt"

// serverName is the name of both servers, so that the ids of users are the same.
const serverName = "judge.test"

// A flavour is one way to set up both servers.
type flavour struct {
	name    string
	synapse []string // lines of YAML
	ours    []string // key=value
	tokens  []string // registration tokens, each for one account
}

// flavours lists the settings that conversations may ask for by name.
func flavours() []flavour {
	return []flavour{
		{
			name: "open",
			synapse: []string{
				"enable_registration: true", "enable_registration_without_verification: true",
				"user_directory: {enabled: true, search_all_users: true, prefer_local_users: false}",
				"presence: {enabled: true}",
				"login_via_existing_session: {enabled: true, require_ui_auth: true}",
				"room_list_publication_rules: [{action: allow}]",
			},
			ours: []string{"registration=open", "presence=true", "login_tokens=true", "search_all_users=true", "public_url=http://" + serverName + "/"},
		},
		{
			name: "shy", // only who shares a room is found, and nobody's presence is told
			synapse: []string{
				"user_directory: {enabled: true, search_all_users: false}", "presence: {enabled: false}",
			},
			ours: []string{"search_all_users=false", "presence=false"},
		},
		{
			name:    "tokens",
			synapse: []string{"enable_registration: true", "registration_requires_token: true"},
			ours:    []string{"registration=token"},
			tokens:  []string{"welcome"},
		},
		{
			name:    "closed",
			synapse: []string{"enable_registration: false"},
			ours:    []string{"registration=closed"},
		},
	}
}

func findFlavour(name string) (flavour, error) {
	for _, f := range flavours() {
		if f.name == name {
			return f, nil
		}
	}
	return flavour{}, fmt.Errorf("there are no servers of the flavour %q", name)
}
