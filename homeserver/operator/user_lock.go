package operator

func userLock() verb {
	return verb{
		name: "user lock", args: []string{"USER"}, short: "keep a user out until unlocked",
		help: `
Locks an account: its devices can do nothing but log out, and nobody can log in, until it is unlocked. Nothing is lost.

  homeserver admin user lock alice`,
		run: setState("locked", true, "is locked"),
	}
}
