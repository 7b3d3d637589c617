package operator

func userSuspend() verb {
	return verb{
		name: "user suspend", args: []string{"USER"}, short: "let a user read, but not write",
		help: `
Suspends an account: the user can read and leave rooms, but not write, invite, join or change the profile.

  homeserver admin user suspend alice`,
		run: setState("suspended", true, "is suspended"),
	}
}
