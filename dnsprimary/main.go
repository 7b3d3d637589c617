// Command dnsprimary is the authoritative primary DNS server of this box's zones.
//
//	dnsprimary [-config FILE] [-set key=value]... [serve]         serve until SIGTERM
//	dnsprimary ... check FILE [ZONE]                              read a zone file and say what is wrong with it
//	dnsprimary ... show ZONE                                      print a zone as it is served
//	dnsprimary ... log ZONE                                       print who changed what, and when
//	dnsprimary ... undo ZONE [SERIAL]                             make the zone what it was before the last change, or at a serial
//	dnsprimary ... load ZONE FILE                                 take the changes of a zone file since it was last loaded
//	dnsprimary ... keys ZONE [roll zsk|ksk|csk] [confirm TAG]     print the keys that sign a zone, or change their lives
//	dnsprimary ... ds ZONE                                        print the DS records for the registrar
//
// All but check ask the program that serves, by its admin socket. -h and -print-config show the settings.
package main

import "hearth/process"

func main() { process.Main("dnsprimary", run) }
