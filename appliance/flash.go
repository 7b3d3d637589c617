package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"hearth/appliance/flash"
	"hearth/process"
	"hearth/settings"
)

const flashUsage = `Usage: appliance flash [--image FILE] [--yes] [--json] DISK

Writes an image to a card or disk, such as /dev/sdX (lsblk lists them), or to a file, and reads it back. Everything on the
disk is lost; it asks before it writes. A disk that is in use, or that this machine runs from, is refused. Only what is not
zero in the image is written, so it takes as long as the image is full, not as long as it is large.

  --image FILE    the image; by default the one that is in ./bin, where appliance build puts it
  --yes           do not ask
  --json          print what was done as JSON, and no progress
`

// flashed is what flash prints as JSON.
type flashed struct {
	Disk    string `json:"disk"`
	Image   string `json:"image"`
	Bytes   int64  `json:"bytes"`   // of the image
	Written int64  `json:"written"` // of them; the rest was zero on both
}

// flashDisk writes an image to a disk.
func flashDisk(ctx context.Context, args []string, std process.Streams) error {
	flags := flag.NewFlagSet("flash", flag.ContinueOnError)
	name := flags.String("image", "", "")
	yes := flags.Bool("yes", false, "")
	asJSON := flags.Bool("json", false, "")
	rest, err := parseFlags(flags, args, 1)
	if err != nil {
		return err
	}
	if len(rest) == 0 {
		return &settings.Error{Err: fmt.Errorf("flash needs the disk to write to, such as /dev/sdX: lsblk lists them")}
	}
	if *name == "" {
		if *name, err = onlyImage("bin"); err != nil {
			return err
		}
	}
	image, err := os.Open(*name)
	if err != nil {
		return fmt.Errorf("opening the image: %w", err)
	}
	defer image.Close()
	size, err := flash.Check(image)
	if err != nil {
		return err
	}
	disk, err := flash.ThisMachine().Disk(rest[0])
	if err != nil {
		return err
	}
	if err := confirm(disk, *yes, std); err != nil {
		return err
	}
	progress := std.Err
	if *asJSON {
		progress = nil
	}
	result, err := flashWith(ctx, image, disk, size, progress)
	if err != nil {
		return err
	}
	if *asJSON {
		return json.NewEncoder(std.Out).Encode(flashed{disk.Path, *name, result.Size, result.Written})
	}
	_, err = fmt.Fprintf(std.Out, "%s is on %s, and was read back: %.1f MB were written of %.1f.\n",
		filepath.Base(*name), disk.Path, float64(result.Written)/1e6, float64(result.Size)/1e6)
	return err
}

// flashWith writes an image and shows how far it is.
func flashWith(ctx context.Context, image *os.File, disk flash.Disk, size int64, progress io.Writer) (flash.Result, error) {
	writing := newMeter(progress, "writing", size)
	var reading *meter
	result, err := flash.Write(ctx, image, disk, func(n int64) {
		if writing.at(n); n == size {
			writing.done()
		}
	}, func(n int64) {
		if reading == nil {
			reading = newMeter(progress, "reading back", size)
		}
		if reading.at(n); n == size {
			reading.done()
		}
	})
	return result, err
}

// confirm asks for the disk's name before it is erased. A file that is not there yet loses nothing.
func confirm(disk flash.Disk, yes bool, std process.Streams) error {
	info, err := os.Stat(disk.Path)
	if yes || os.IsNotExist(err) || err == nil && info.Mode().IsRegular() && info.Size() == 0 {
		return nil
	}
	want := filepath.Base(disk.Path)
	if _, err := fmt.Fprintf(std.Err, "This erases %s.\nType %s to go on: ", disk, want); err != nil {
		return err
	}
	answer, err := bufio.NewReader(std.In).ReadString('\n')
	if answer = strings.TrimSpace(answer); answer != want {
		if err == io.EOF {
			fmt.Fprintln(std.Err)
		}
		return fmt.Errorf("nothing was written: the answer was %q, not %s", answer, want)
	}
	return nil
}

// onlyImage returns the image in a folder, if there is exactly one.
func onlyImage(folder string) (string, error) {
	images, err := fs.Glob(os.DirFS(folder), "*.img")
	if err != nil {
		return "", fmt.Errorf("looking for images: %w", err)
	}
	switch len(images) {
	case 0:
		return "", fmt.Errorf("there is no image in %s: make one with appliance build --board BOARD, or give --image FILE", folder)
	case 1:
		return filepath.Join(folder, images[0]), nil
	}
	return "", fmt.Errorf("there are several images in %s (%s): say which with --image", folder, strings.Join(images, ", "))
}
