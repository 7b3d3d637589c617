// Command homeserver is the Matrix homeserver: it serves clients from what it keeps in the storage program.
//
//	homeserver [-config FILE] [-set key=value]...                      serve until SIGTERM
//	homeserver [-config FILE] [-set key=value]... admin NOUN VERB      administer the server that serves (package operator)
//
// -h and -print-config show the settings.
package main

import "hearth/process"

func main() { process.Main("homeserver", run) }
