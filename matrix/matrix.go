// Package matrix holds what all of Matrix is written in: identifiers, room versions, canonical JSON, signatures and errors.
//
// # Canonical JSON
//
// The shortest UTF-8 encoding of a value, keys sorted by code point, numbers integers of at most 53 bits
// (spec: appendices#canonical-json). [Canonical] makes it from any JSON text:
//
//	{"b": "\u65E5", "a": [-0, 1e10]}   becomes   {"a":[0,10000000000],"b":"日"}
//
// Input that is canonical already is recognised in one pass and returned as it is, without a copy. What is
// refused, whatever the function:
//
//   - text of more than [MaxJSON] bytes, and values nested more than [MaxDepth] deep;
//   - two equal keys in one object (compared after unescaping);
//   - invalid UTF-8, and \u escapes that are half of a surrogate pair: neither has a UTF-8 encoding;
//   - anything that RFC 8259 does not allow, such as a byte order mark or a raw control character.
//
// Three ways of treating numbers exist, because three are needed:
//
//	function                 -0         1e10, 1.0         1.5      2^53     used for
//	Canonical                0          10000000000, 1    error    error    whatever is signed
//	Version.Canonical (6+)   error      error             error    error    events of room versions 6 and later
//	CanonicalLoose           0          kept as written   kept     kept     events of room versions 1 to 5, other JSON
//
// # Reading JSON
//
// [Field], [StringField], [IntField], [Member], [EachField] and [EachElement] find values in JSON text without
// decoding it and without allocating. They take valid JSON (what Canonical or CanonicalLoose has accepted); on
// anything else they find nothing, or something wrong, but never panic.
package matrix
