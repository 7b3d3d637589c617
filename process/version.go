package process

// version is for the linker to set, with -X hearth/process.version=... .
var version = "development"

// Version returns the version of the image that this program was built for, "development" if for none.
func Version() string { return version }
