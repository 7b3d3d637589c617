package ota_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"hearth/appliance/ota"
)

// TestExample holds the package comment's example.
func TestExample(t *testing.T) {
	v := version{
		manifest: ota.Manifest{Version: "1.1", Number: 11, Minimum: 9, Board: "pc", CommandLine: "root=PARTLABEL=hearth-root-{slot}"},
		files:    map[string]string{"root": "ROOT", "vmlinuz": "KERNEL"},
		order:    []string{"root", "vmlinuz"},
	}
	data := v.bytes(t)
	manifest := `{"format":1,"version":"1.1","number":11,"minimum":9,"board":"pc","command_line":"root=PARTLABEL=hearth-root-{slot}","files":[` +
		`{"name":"root","size":4,"sha256":"fed4199357214dfb94724176c68a76698dbc3c2d36317a895320207ac910dea6",` +
		`"chunks":"AAAABNUqip/iFAU6ihDrnGI7As8WMjzDnUsM9Zt3bQfFFnjq"},` +
		`{"name":"vmlinuz","size":6,"sha256":"a204d4ad1de3e9b07751899e5cf4d4a3017328c41372c70fdcc8db9587bb38fb",` +
		`"chunks":"AAAABrRrpDY2SSi+kTD8oC2h/lmEqJ22QzibQOpFcbCoyro/"}]}`
	at := bytes.IndexByte(data, '{')
	end := at + int(binary.BigEndian.Uint32(data[at-4:]))
	if got := string(data[at:end]); got != manifest {
		t.Errorf("the manifest is\n%s, want\n%s", got, manifest)
	}
	if got := string(data[:16]); got != "hearth bundle 1\n" {
		t.Errorf("the bundle begins with %q", got)
	}
	if signer := data[end : end+32]; !bytes.Equal(signer, owner()) {
		t.Errorf("the signer is %x", signer)
	}
	if !ed25519.Verify(owner(), data[:end], data[end+32:end+96]) {
		t.Error("the signature is not one of all before the signer")
	}
	if got := string(data[end+96:]); got != "ROOTKERNEL" {
		t.Errorf("the content is %q", got)
	}
}

// signed returns a bundle's head of any manifest.
func signed(manifest string, key ed25519.PrivateKey) []byte {
	raw := binary.BigEndian.AppendUint32([]byte("hearth bundle 1\n"), uint32(len(manifest)))
	raw = append(raw, manifest...)
	signature := ed25519.Sign(key, raw)
	return append(append(raw, key.Public().(ed25519.PublicKey)...), signature...)
}

func TestBundlesThatAreNotWholeAreRefused(t *testing.T) {
	good := newVersion(11, "1.1").bytes(t)
	head := len(good) - len(newVersion(11, "1.1").files["root"]) // about: the end of the head, and a little of the content
	changed := func(at int) []byte {
		data := bytes.Clone(good)
		data[at] ^= 1
		return data
	}
	unsigned := bytes.Clone(good)
	size := 20 + int(binary.BigEndian.Uint32(good[16:]))
	clear(unsigned[size : size+96])
	for _, c := range []struct {
		name, want string
		data       []byte
	}{
		{"nothing", "the bundle is cut short", nil},
		{"cut in the magic", "the bundle is cut short", good[:5]},
		{"cut in the manifest", "the bundle is cut short", good[:size-5]},
		{"cut in the signature", "the bundle is cut short", good[:size+90]},
		{"cut in the content", "the bundle is cut short: it has ", good[:len(good)-1]},
		{"more behind it", "1 bytes that do not belong to it stand behind the bundle", append(bytes.Clone(good), 0)},
		{"something else", "this is not a bundle of format 1: it does not begin as one", changed(0)},
		{"unsigned", "the bundle is not signed", unsigned},
		{"changed manifest", "the bundle's signature is wrong: it was changed after it was signed", changed(40)},
		{"changed signature", "the bundle's signature is wrong: it was changed after it was signed", changed(size + 40)},
		{"changed signer", "the bundle's signature is wrong: it was changed after it was signed", changed(size + 4)},
		{"huge manifest", "the bundle's manifest has 4294967295 bytes, which is too much or nothing", append([]byte("hearth bundle 1\n"), 255, 255, 255, 255, 0)},
		{"changed content", "checking root of the bundle: its content is not what the manifest says", changed(head + 1000)},
		{"changed end", "checking dtb/pc.dtb of the bundle: its content is not what the manifest says", changed(len(good) - 1)},
	} {
		b, err := ota.Open(bytes.NewReader(c.data), int64(len(c.data)))
		if err == nil {
			err = b.Verify()
		}
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
	}
	b, err := ota.Open(bytes.NewReader(good), int64(len(good)))
	if err == nil {
		err = b.Verify()
	}
	if err != nil {
		t.Errorf("the bundle itself: %v", err)
	}
}

func TestManifestsThatCannotBeAreRefused(t *testing.T) {
	base := newVersion(11, "1.1").bundle(t).Manifest
	for _, c := range []struct {
		want   string
		change func(m *ota.Manifest)
	}{
		{"it is of format 2, and this program reads format 1", func(m *ota.Manifest) { m.Format = 2 }},
		{`"" is not a version`, func(m *ota.Manifest) { m.Version = "" }},
		{`"1\n2" is not a version`, func(m *ota.Manifest) { m.Version = "1\n2" }},
		{"the version's number is 0", func(m *ota.Manifest) { m.Number = 0 }},
		{`"../x" is not a board's name`, func(m *ota.Manifest) { m.Board = "../x" }},
		{"the command line is too long", func(m *ota.Manifest) { m.CommandLine = "{slot}" + strings.Repeat("x", 3000) }},
		{"the command line is too long", func(m *ota.Manifest) { m.CommandLine = "{slot}\ninitrd /x" }},
		{"the command line is too long", func(m *ota.Manifest) { m.CommandLine = "root=/dev/sda2" }},
		{`file "root" is there twice`, func(m *ota.Manifest) { m.Files = append(m.Files, m.Files[0]) }},
		{`file "vmlinuz" is there twice`, func(m *ota.Manifest) { m.Files[0], m.Files[1] = m.Files[1], m.Files[0] }},
		{"it lacks root or vmlinuz", func(m *ota.Manifest) { m.Files = m.Files[:1] }},
		{"it lacks root or vmlinuz", func(m *ota.Manifest) { m.Files = nil }},
		{"it has 600 files", func(m *ota.Manifest) { m.Files = make([]ota.FileContent, 600) }},
		{"this is no name", func(m *ota.Manifest) { m.Files[2].Name = "../config.txt" }},
		{"this is no name", func(m *ota.Manifest) { m.Files[2].Name = "/etc/x" }},
		{"this is no name", func(m *ota.Manifest) { m.Files[2].Name = "VMLINUZ" }},
		{"this is no name", func(m *ota.Manifest) { m.Files[2].Name = "a/b/c" }},
		{"this is no name", func(m *ota.Manifest) { m.Files[2].Name = "x." }},
		{"this is no name", func(m *ota.Manifest) { m.Files[2].Name = "manifest" }},
		{"this is no name", func(m *ota.Manifest) { m.Files[2].Name = "cmdline.txt" }},
		{"it has -1 bytes", func(m *ota.Manifest) { m.Files[1].Size = -1 }},
		{"it has 5 bytes, and its chunks have", func(m *ota.Manifest) { m.Files[1].Size = 5 }},
		{"its SHA-256 is not", func(m *ota.Manifest) { m.Files[1].SHA256 = "00" }},
	} {
		m := *base
		m.Files = append([]ota.FileContent(nil), base.Files...)
		c.change(&m)
		text, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		_, err = ota.ReadHead(bytes.NewReader(signed(string(text), ownersKey())))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
	text, err := json.Marshal(base)
	if err != nil {
		t.Fatal(err)
	}
	for manifest, want := range map[string]string{
		string(text) + "{}": "something stands behind it",
		strings.Replace(string(text), "{", `{"more":1,`, 1):              `unknown field "more"`,
		strings.Replace(string(text), `"chunks":"`, `"chunks":"AAAA`, 1): "reading chunks",
		"[]": "cannot unmarshal",
		"":   "too much or nothing",
	} {
		if _, err := ota.ReadHead(bytes.NewReader(signed(manifest, ownersKey()))); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func TestWhatMayNotReplaceWhatRunsIsRefused(t *testing.T) {
	_, stranger, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	strangers := ota.Fingerprint(stranger.Public().(ed25519.PublicKey))
	for _, c := range []struct {
		name, want string
		key        ed25519.PrivateKey
		change     func(v *version)
	}{
		{"another's", "the bundle is signed by " + strangers + ", but this box belongs to " + ota.Fingerprint(owner()), stranger, func(*version) {}},
		{"another board's", "the bundle is for the board pi4, but this is a pc", ownersKey(), func(v *version) { v.manifest.Board = "pi4" }},
		{"older", "the bundle's version 0.9 (number 9) is not newer than 1.0 (number 10), which runs", ownersKey(), func(v *version) { v.manifest.Number, v.manifest.Version = 9, "0.9" }},
		{"of the same number", "the bundle's version 1.0b (number 10) is not newer than 1.0 (number 10), which runs", ownersKey(), func(v *version) { v.manifest.Number, v.manifest.Version = 10, "1.0b" }},
		{"the same", "version 1.0: this version runs already", ownersKey(), func(v *version) { v.manifest.Number, v.manifest.Version = 10, "1.0" }},
		{"too new", "version 1.1 cannot replace 1.0 (number 10): update to a version between them first, of number 11 or more", ownersKey(), func(v *version) { v.manifest.Minimum = 11 }},
		{"too big", "preparing slot b: the root image has 600000 bytes, and its partition only 327680", ownersKey(), func(v *version) { v.files["root"] = strings.Repeat("x", 600_000) }},
	} {
		v := newVersion(11, "1.1")
		c.change(&v)
		head, err := ota.Seal(v.manifest, v.sources(), c.key)
		if err != nil {
			t.Fatal(err)
		}
		m := flashed(t, true, newVersion(10, "1.0"), nil)
		if _, err := box(m, ota.A).Begin(head, owner()); err == nil || err.Error() != c.want {
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
	}
}

func TestTheDataPartitionIsTooFull(t *testing.T) {
	m := flashed(t, true, newVersion(10, "1.0"), nil)
	m.Data.Full = errors.New("the data partition is too full")
	if err := update(m, ota.A, newVersion(11, "1.1").bundle(t)); !errors.Is(err, m.Data.Full) {
		t.Error(err)
	}
}

func TestOnlyWhatIsMissingIsSent(t *testing.T) {
	m := flashed(t, true, newVersion(10, "1.0"), nil)
	b := box(m, ota.A)
	v := newVersion(11, "1.1")
	v.files[ota.RootFile] = noise(5, 200<<10) + common() // several chunks are new
	bundle := v.bundle(t)
	i, err := b.Begin(bundle.Head, owner())
	if err != nil {
		t.Fatal(err)
	}
	ranges, missing := i.Missing()
	content, size, err := bundle.Chunks(ranges)
	if err != nil || size != missing {
		t.Fatalf("the bundle gives %d bytes of %d that are missing: %v", size, missing, err)
	}
	if whole := bundle.Manifest.Files[0].Size; missing >= whole {
		t.Errorf("%d bytes are missing of %d, although some are in the slot that runs", missing, whole)
	}

	// The connection breaks before the last byte. Nothing of what came is asked for again, but for the chunk that was under way.
	if err := i.Receive(&cut{content, int(size) - 1}); err == nil || !strings.Contains(err.Error(), "the bundle is cut short") {
		t.Fatalf("receiving all but a byte: %v", err)
	}
	i.Close()
	i, err = b.Begin(bundle.Head, owner())
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	if _, rest := i.Missing(); rest == 0 || rest > ota.GreatestChunk || rest == size {
		t.Errorf("%d bytes are missing after %d of %d came", rest, size-1, size)
	}
}

// cut is a connection that breaks after some bytes.
type cut struct {
	r    io.Reader
	left int
}

func (c *cut) Read(p []byte) (int, error) {
	if c.left == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	n, err := c.r.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}

func TestWhatIsSentMustBeWhatIsMissing(t *testing.T) {
	bundle := newVersion(11, "1.1").bundle(t)
	for name, change := range map[string]func([]byte) []byte{
		"what came is not what the manifest says": func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
		"the bundle is cut short":                 func(b []byte) []byte { return b[:len(b)-1] },
		"more came than was missing":              func(b []byte) []byte { return append(b, 0) },
	} {
		b := box(flashed(t, true, newVersion(10, "1.0"), nil), ota.A)
		i, err := b.Begin(bundle.Head, owner())
		if err != nil {
			t.Fatal(err)
		}
		ranges, _ := i.Missing()
		content, size, err := bundle.Chunks(ranges)
		if err != nil {
			t.Fatal(err)
		}
		data := make([]byte, size)
		if _, err := io.ReadFull(content, data); err != nil {
			t.Fatal(err)
		}
		if err := i.Receive(bytes.NewReader(change(data))); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v, want %s", err, name)
		}
		i.Close()
		if _, err := b.Try(); err == nil {
			t.Error("what was not finished can be tried")
		}
	}
}

func TestADiskThatKeepsSomethingElseIsFound(t *testing.T) {
	m := flashed(t, true, newVersion(10, "1.0"), nil)
	m.Roots[ota.B].Rots = true
	err := update(m, ota.A, newVersion(11, "1.1").bundle(t))
	if want := "reading back root from slot b: its content is not what the manifest says; the disk may be failing"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	if _, slot, _, err := m.Start(); err != nil || slot != ota.A {
		t.Errorf("slot %s starts: %v", slot, err)
	}
}

func TestChunksOfNonsenseAreRefused(t *testing.T) {
	bundle := newVersion(11, "1.1").bundle(t)
	for _, ranges := range [][]ota.Range{{{-1, 1}}, {{1, 1}}, {{0, 1 << 20}}, {{3, 4}, {0, 1}}, {{2, 1}}} {
		if _, _, err := bundle.Chunks(ranges); err == nil {
			t.Errorf("chunks %v are there", ranges)
		}
	}
}

func TestFingerprint(t *testing.T) {
	if got, want := ota.Fingerprint(owner()), "72as-yext-vngo-nlc5"; got != want {
		t.Errorf("the fingerprint is %s, want %s", got, want)
	}
}
