package image

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// sbomFile is where the root has its list of parts.
const sbomFile = "/etc/hearth/sbom.spdx.json"

// The parts of an image in SPDX 2.3 (https://spdx.github.io/spdx-spec/v2.3).
type (
	spdx struct {
		Version       string         `json:"spdxVersion"`
		License       string         `json:"dataLicense"`
		ID            string         `json:"SPDXID"`
		Name          string         `json:"name"`
		Namespace     string         `json:"documentNamespace"`
		Creation      spdxCreation   `json:"creationInfo"`
		Packages      []spdxPackage  `json:"packages"`
		Relationships []spdxRelation `json:"relationships"`
	}
	spdxCreation struct {
		Created  string   `json:"created"`
		Creators []string `json:"creators"`
	}
	spdxPackage struct {
		ID         string          `json:"SPDXID"`
		Name       string          `json:"name"`
		Version    string          `json:"versionInfo"`
		Location   string          `json:"downloadLocation"`
		Analyzed   bool            `json:"filesAnalyzed"`
		Checksums  []spdxChecksum  `json:"checksums,omitempty"`
		References []spdxReference `json:"externalRefs,omitempty"`
		Comment    string          `json:"comment,omitempty"`
	}
	spdxChecksum struct {
		Algorithm string `json:"algorithm"`
		Value     string `json:"checksumValue"`
	}
	spdxReference struct {
		Category string `json:"referenceCategory"`
		Type     string `json:"referenceType"`
		Locator  string `json:"referenceLocator"`
	}
	spdxRelation struct {
		From string `json:"spdxElementId"`
		Kind string `json:"relationshipType"`
		To   string `json:"relatedSpdxElement"`
	}
)

// sbom lists what the image is made of: the programs, the Go modules that each says it was built from, Go itself, and the
// modules that kernel, firmware and boot loader come from.
func (s *System) sbom() ([]byte, error) {
	o := s.options
	const image = "SPDXRef-image"
	doc := spdx{Version: "SPDX-2.3", License: "CC0-1.0", ID: "SPDXRef-DOCUMENT", Name: "hearth-" + o.Board.Name + "-" + o.Version.Text,
		Creation:      spdxCreation{o.Version.Time.UTC().Format(time.RFC3339), []string{"Tool: appliance-" + o.Version.Text}},
		Packages:      []spdxPackage{{ID: image, Name: "hearth-" + o.Board.Name, Version: o.Version.Text, Location: "NOASSERTION"}},
		Relationships: []spdxRelation{{"SPDXRef-DOCUMENT", "DESCRIBES", image}},
	}
	parts := make(map[string]spdxPackage)
	add := func(from, kind string, p spdxPackage) {
		parts[p.ID] = p
		doc.Relationships = append(doc.Relationships, spdxRelation{from, kind, p.ID})
	}
	for _, p := range s.programs {
		_, sum, err := FileSum(p.path)
		if err != nil {
			return nil, err
		}
		id := spdxID("program", p.name, "")
		add(image, "CONTAINS", spdxPackage{ID: id, Name: p.name, Version: o.Version.Text, Location: "NOASSERTION",
			Checksums: []spdxChecksum{{"SHA256", sum}}})
		add(id, "DEPENDS_ON", goPackage("stdlib", strings.TrimPrefix(p.info.GoVersion, "go"), "Go's standard library"))
		for _, dependency := range p.info.Deps {
			add(id, "DEPENDS_ON", modulePackage(dependency))
		}
	}
	for _, m := range s.modules {
		add(image, "CONTAINS", goPackage(m.Path, m.Version, "files of this module; go.sum: "+m.Sum))
	}
	for _, p := range parts {
		doc.Packages = append(doc.Packages, p)
	}
	slices.SortFunc(doc.Packages[1:], func(a, b spdxPackage) int { return strings.Compare(a.ID, b.ID) })
	slices.SortFunc(doc.Relationships[1:], func(a, b spdxRelation) int {
		return strings.Compare(a.From+" "+a.Kind+" "+a.To, b.From+" "+b.Kind+" "+b.To)
	})
	return doc.text()
}

// text writes the document, whose namespace is made of its content.
func (d spdx) text() ([]byte, error) {
	content, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("writing the list of parts: %w", err)
	}
	sum := sha256.Sum256(content)
	d.Namespace = "https://hearth.invalid/spdx/" + d.Name + "-" + hex.EncodeToString(sum[:8])
	text, err := json.MarshalIndent(d, "", " ")
	if err != nil {
		return nil, fmt.Errorf("writing the list of parts: %w", err)
	}
	return append(text, '\n'), nil
}

func modulePackage(m *debug.Module) spdxPackage {
	if m.Replace != nil {
		m = m.Replace
	}
	return goPackage(m.Path, m.Version, "go.sum: "+m.Sum)
}

func goPackage(path, version, comment string) spdxPackage {
	return spdxPackage{ID: spdxID("go", path, version), Name: path, Version: version, Location: "NOASSERTION", Comment: comment,
		References: []spdxReference{{"PACKAGE-MANAGER", "purl", "pkg:golang/" + path + "@" + version}}}
}

// spdxID makes an identifier of letters, digits, - and . only.
func spdxID(parts ...string) string {
	return "SPDXRef-" + strings.TrimRight(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' {
			return r
		}
		return '-'
	}, strings.Join(parts, "-")), "-")
}

// FileSum returns the size of a file, and its SHA-256 in hexadecimal.
func FileSum(path string) (size int64, hash string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, "", fmt.Errorf("hashing a file: %w", err)
	}
	defer f.Close()
	h := sha256.New()
	if size, err = io.Copy(h, f); err != nil {
		return 0, "", fmt.Errorf("hashing %s: %w", path, err)
	}
	return size, hex.EncodeToString(h.Sum(nil)), nil
}

// sum returns the SHA-256 of data in hexadecimal.
func sum(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
