package badgerstore

func idleChild(args []string) error { return nil }
