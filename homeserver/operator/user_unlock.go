package operator

func userUnlock() verb {
	return verb{
		name: "user unlock", args: []string{"USER"}, short: "let a locked user in again",
		help: `
Unlocks an account. Its devices can go on where they were.

  homeserver admin user unlock alice`,
		run: setState("locked", false, "is not locked"),
	}
}
