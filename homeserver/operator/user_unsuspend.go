package operator

func userUnsuspend() verb {
	return verb{
		name: "user unsuspend", args: []string{"USER"}, short: "let a suspended user write again",
		help: `
Ends the suspension of an account.

  homeserver admin user unsuspend alice`,
		run: setState("suspended", false, "is not suspended"),
	}
}
