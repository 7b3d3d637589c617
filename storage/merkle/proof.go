package merkle

import (
	"context"
	"encoding/binary"

	"hearth/storage/blob"
)

// Proof shows that a map with a certain root has a key with a certain value, or does not have the key. It is the nodes
// from the root down to the leaf to whose range the key belongs, or to where it shows that there is no such leaf.
//
// Its bytes are 'P', the number of nodes as one byte, and for each node its length as 4 bytes, the highest first, and
// the node.
type Proof struct{ nodes [][]byte }

const proofMagic = 'P'

// Prove returns the proof about key.
func Prove(ctx context.Context, src blob.Getter, root blob.Hash, key []byte) (Proof, error) {
	var p Proof
	if root.IsZero() {
		return p, nil
	}
	d, err := loadRoot(ctx, src, root)
	if err != nil {
		return Proof{}, err
	}
	for {
		p.nodes = append(p.nodes, d.raw)
		if d.level() == 0 {
			return p, nil
		}
		i := d.child(key)
		if i < 0 {
			return p, nil
		}
		kid, err := loadChild(ctx, src, &d, i)
		if err != nil {
			return Proof{}, err
		}
		d = kid
	}
}

// Verify returns the value of key in the map at root, and whether it is there. It fails with kind blob.Invalid if the
// proof does not show either. The value must not be changed.
func (p Proof) Verify(root blob.Hash, key []byte) (value []byte, present bool, err error) {
	if root.IsZero() {
		if len(p.nodes) > 0 {
			return nil, false, invalidProof("nodes of the empty map")
		}
		return nil, false, nil
	}
	var above node
	child := -1
	want := root
	for n, raw := range p.nodes {
		if blob.Sum(raw) != want {
			return nil, false, invalidProof("node %d is not the one named", n)
		}
		d, err := parse(raw)
		if err != nil {
			return nil, false, invalidProof("node %d: %w", n, err)
		}
		if n > 0 {
			if err := checkChild(&above, child, &d); err != nil {
				return nil, false, invalidProof("node %d: %w", n, err)
			}
		}
		if d.level() == 0 || d.child(key) < 0 {
			if n+1 < len(p.nodes) {
				return nil, false, invalidProof("nodes below where it ends")
			}
			if d.level() == 0 {
				value = d.get(key)
			}
			return value, value != nil, nil
		}
		above, child = d, d.child(key)
		want = d.ref(child).hash
	}
	return nil, false, invalidProof("it ends above the leaf")
}

// Bytes returns the proof in the form that ParseProof reads.
func (p Proof) Bytes() []byte {
	out := []byte{proofMagic, byte(len(p.nodes))}
	for _, n := range p.nodes {
		out = binary.BigEndian.AppendUint32(out, uint32(len(n)))
		out = append(out, n...)
	}
	return out
}

// ParseProof reads what Bytes returns; it fails with kind blob.Invalid. The proof refers to data. Only Verify tells
// what it is worth.
func ParseProof(data []byte) (Proof, error) {
	if len(data) < 2 || data[0] != proofMagic || data[1] > maxLevel+1 {
		return Proof{}, invalidProof("it is none")
	}
	p := Proof{nodes: make([][]byte, data[1])}
	rest := data[2:]
	for i := range p.nodes {
		if len(rest) < 4 {
			return Proof{}, invalidProof("it is cut short")
		}
		n := binary.BigEndian.Uint32(rest)
		rest = rest[4:]
		if n > blob.MaxBlob || int(n) > len(rest) {
			return Proof{}, invalidProof("node %d is cut short", i)
		}
		p.nodes[i], rest = rest[:n:n], rest[n:]
	}
	if len(rest) > 0 {
		return Proof{}, invalidProof("%d bytes follow it", len(rest))
	}
	return p, nil
}

func invalidProof(format string, args ...any) error {
	return blob.Errorf(blob.Invalid, "verifying map proof", format, args...)
}
