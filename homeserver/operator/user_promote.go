package operator

func userPromote() verb {
	return verb{
		name: "user promote", args: []string{"USER"}, short: "make a user an administrator",
		help: `
Lets a user administer the server by Matrix: lock and suspend others, see who they are, answer reports. It gives no rights
in rooms, and none on this machine.

  homeserver admin user promote alice`,
		run: setState("admin", true, "is an administrator"),
	}
}
