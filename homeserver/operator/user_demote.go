package operator

func userDemote() verb {
	return verb{
		name: "user demote", args: []string{"USER"}, short: "make an administrator an ordinary user",
		help: `
Makes an administrator an ordinary user again.

  homeserver admin user demote alice`,
		run: setState("admin", false, "is no administrator"),
	}
}
