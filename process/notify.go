package process

import (
	"fmt"
	"net"
	"os"
)

// Ready tells the supervisor that the program now serves. Without a supervisor it does nothing.
// It speaks sd_notify(3): a datagram to the unix socket that NOTIFY_SOCKET names.
func Ready() error { return notify("READY=1") }

// Stopping tells the supervisor that the program has begun to end.
func Stopping() error { return notify("STOPPING=1") }

func notify(message string) error {
	name := os.Getenv("NOTIFY_SOCKET")
	if name == "" {
		return nil
	}
	// net turns a leading @ into the zero byte of the abstract namespace, as sd_notify(3) wants.
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("reaching the supervisor: %w", err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte(message)); err != nil {
		return fmt.Errorf("telling the supervisor %s: %w", message, err)
	}
	return nil
}
