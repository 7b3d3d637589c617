// Package box names what an image's builder, the box's PID 1 and its updater must agree on.
//
// An image has these partitions, told apart by their GPT names, never by number:
//
//	hearth-boot    FAT32: boot loader or firmware, the slots' kernels, the owner's settings (hearth.txt)
//	hearth-root-a  squashfs: the root of slot a
//	hearth-root-b  squashfs: the root of slot b
//	hearth-data    ext4 in 4 KiB blocks, the last of the disk; the box grows it at its first boot, and checks it after a loss of power
//
// PID 1 looks for hearth-data and hearth-boot on the disk that the root is on. If the root is on no partition, as when
// a kernel is tried with a bare squashfs, it takes those of the whole machine.
//
// A root holds, all owned by root, files 0644, programs and folders 0755:
//
//	/bin/appliance                       PID 1 (it acts as such when its process id is 1), and the box's commands
//	/bin/storage, dnsprimary, homeserver the programs of Users
//	/etc/hearth/hearth.txt               the image's settings
//	/etc/hearth/version                  one line: the version of the image
//	/etc/hearth/board                    one line: the board that it is made for
//	/etc/hearth/sbom.spdx.json           the list of all parts, for people
//	/etc/ssl/certs/ca-certificates.crt   certificates of authorities
//	/etc/resolv.conf                     an empty file: PID 1 mounts its own over it
//	/etc/hosts                           127.0.0.1 and ::1 as localhost
//	/lib/modules/KERNEL/                 the kernel's modules, if it has any, with modules.dep
//	/proc /sys /dev /run /tmp            empty folders: mount points for what is in memory
//	/boot /data                          empty folders: mount points of hearth-boot and hearth-data
//
// A file hearth.txt is UTF-8 text with lines that end in LF or CRLF, each empty, a comment or a setting:
//
//	# what appliance up takes as --set
//	server_name = example.org
//	homeserver.registration = closed
//	dnsprimary.zones = example.org
//	box.hostname = hearth
//
// The image's file is read first, the boot partition's second; of a key that comes twice the later one holds.
//
// Settings that begin with "box." are PID 1's:
//
//	box.hostname   its name, under which it is found as NAME.local; hearth
//	box.owner      the key of whom it obeys, ed25519: and base64; without it the first who asks
//	box.clocks     its time servers, with commas between them; those of pool.ntp.org and of the network
//
// PID 1 ends the programs and starts the machine anew at SIGTERM, and turns it off at SIGUSR2.
//
// The kernel's command line needs, beside root= and the console, what CommandLine says.
package box

import "syscall"

// The names of the GPT partitions.
const (
	BootPartition  = "hearth-boot"
	RootAPartition = "hearth-root-a"
	RootBPartition = "hearth-root-b"
	DataPartition  = "hearth-data"
)

// CommandLine is what every kernel's command line must contain beside root=, rootwait for slow disks, and console=.
//
// A kernel that fails starts anew, so that the boot loader can choose the other slot; the memory controller is off on a
// Raspberry Pi if nobody asks for it.
const CommandLine = "ro rootfstype=squashfs init=" + Init + " panic=10 oops=panic cgroup_enable=memory"

// Files and folders of the root.
const (
	Init            = "/bin/appliance"
	Programs        = "/bin"
	Settings        = "/etc/hearth/hearth.txt"
	Version         = "/etc/hearth/version"
	Board           = "/etc/hearth/board"
	Certificates    = "/etc/ssl/certs/ca-certificates.crt"
	Resolvers       = "/etc/resolv.conf"
	Modules         = "/lib/modules"
	Boot            = "/boot" // where BootPartition is mounted, read-only but while it is written
	Data            = "/data" // where DataPartition is mounted
	Sockets         = "/run/hearth"
	OwnersSettings  = Boot + "/hearth.txt"
	Health          = Sockets + "/health.json" // what PID 1 thinks of the box, a health.State, written anew at each look
	RebootArgument  = Sockets + "/reboot"      // if it is there, what the firmware is told at a reboot, such as 0 tryboot
	Logs            = Data + "/log"            // a bounded ring of log files
	Own             = Data + "/box"            // what PID 1 and the updater keep: the clock, the state of a trial
	StorageFolder   = Data + "/storage"        // the storage program's, which it alone may read
	LongestSettings = 64 << 10                 // bytes of a hearth.txt; a longer one is refused
)

// What PID 1 takes as the wish to end; Ctrl-Alt-Del is a reboot too, and the power button turns off.
const (
	RebootSignal   = syscall.SIGTERM
	PowerOffSignal = syscall.SIGUSR2
)

// MountPoints are the empty folders of a root.
func MountPoints() []string {
	return []string{"/proc", "/sys", "/dev", "/run", "/tmp", Boot, Data}
}

// EmptyFiles are the files of a root over which PID 1 mounts its own.
func EmptyFiles() []string { return []string{Resolvers} }

// User is who a program runs as: a user and a group of the same number, which are in no file.
type User struct {
	Name string
	ID   uint32
}

// The users of the programs.
const (
	StorageID    = 1001
	DNSPrimaryID = 1002
	HomeserverID = 1003
)

// Users are the programs' users, in the order in which the programs start.
func Users() []User {
	return []User{{"storage", StorageID}, {"dnsprimary", DNSPrimaryID}, {"homeserver", HomeserverID}}
}
