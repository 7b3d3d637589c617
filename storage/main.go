// Command storage keeps what this machine's other programs must not lose: blobs, tables and roots, behind one unix socket.
//
//	storage [-config FILE] [-set key=value]...                        serve until SIGTERM
//	storage [-config FILE] [-set key=value]... verify                 re-read everything, name what is damaged
//	storage [-config FILE] [-set key=value]... stats [-prometheus]    print counters and sizes
//
// verify and stats ask the program that serves, or open the folder if none does. -h and -print-config show the
// settings.
package main

import "hearth/process"

func main() { process.Main("storage", run) }
