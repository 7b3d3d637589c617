// Command homeserver is the Matrix homeserver: it serves clients from what it keeps in the storage program.
package main

import "hearth/process"

func main() { process.Main("homeserver", run) }
