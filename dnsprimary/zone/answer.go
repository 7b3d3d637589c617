package zone

// Fact is a record set at an owner, in a section of an answer.
type Fact struct {
	Owner Name
	Set   RRset
	// Wildcard is the owner in the zone of a set that a wildcard gave to another name (RFC 4592 §3.3), otherwise "".
	// Its signature is the wildcard's.
	Wildcard Name
	// Made is set for the CNAME that follows a DNAME: it is in no zone and has no signature (RFC 6672 §5.3.1).
	Made bool
	// Needed is set for glue without which a referral is of no use: if it does not fit, the message is truncated
	// (RFC 9471 §3.1).
	Needed bool
}

// Absence says what it is that does not exist.
type Absence uint8

// The kinds of denial. What proves each is in RFC 4035 §3.1.3 for NSEC, RFC 5155 §7.2 for NSEC3.
const (
	NoName     Absence = iota + 1 // no such name, and no wildcard for it
	NoType                        // the name exists, perhaps as an empty non-terminal, without the type
	NoWildType                    // a wildcard covers the name, without the type
	Expanded                      // the name does not exist itself: that is why a wildcard gave the answer
	NoDS                          // a cut without DS: what is below is not signed
)

// Denial is one thing that a signer has to prove absent.
type Denial struct {
	Absence Absence
	Name    Name // what was looked up
	// Encloser is the closest name above that exists, NextCloser the one that is one label longer (RFC 5155 §1.3).
	// Both are "" for NoType and NoDS.
	Encloser, NextCloser Name
}

// Answer is what a zone says to a question. It can be used again for the next one.
type Answer struct {
	Rcode         int  // NOERROR, NXDOMAIN or YXDOMAIN
	Authoritative bool // the first name is of this zone, not below a cut
	// Cut is the owner of the NS records that end the zone where the name asked for, or the last of a chain, lies
	// below; otherwise "".
	Cut        Name
	Answer     []Fact
	Authority  []Fact
	Additional []Fact
	Denials    []Denial
}

// Reset empties the answer and keeps its memory.
func (a *Answer) Reset() {
	*a = Answer{Answer: a.Answer[:0], Authority: a.Authority[:0], Additional: a.Additional[:0], Denials: a.Denials[:0]}
}

// has reports whether the answer has a set of this type and owner in any section.
func (a *Answer) has(owner Name, typ uint16) bool {
	for _, section := range [...][]Fact{a.Answer, a.Authority, a.Additional} {
		for i := range section {
			if section[i].Set.Type == typ && section[i].Owner == owner {
				return true
			}
		}
	}
	return false
}
