package zone

import (
	"bytes"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// everything is a zone with all that a master file can be written with.
const everything = `; a comment
$TTL 1h30m
$ORIGIN example.org.
@   IN  SOA ns1 hostmaster.example.org. ( 2024010101 ; serial
        7200 15m
        2w   ; expire
        300 )
        NS   ns1
    300 NS   ns2.example.net.
ns1 IN 600 A 192.0.2.1
    600 IN AAAA 2001:db8::1
*           TXT  "quoted ; no comment" "and (more)" plain
esc\.aped   A    192.0.2.3
\065bc      A    192.0.2.4
$ORIGIN sub
www         CNAME @
$ORIGIN example.org.
dkim        TXT  ( "v=DKIM1; k=rsa; "
                   "p=MIIB" )
mail        MX   10 @
uri         URI  10 1 "https://example.org/"
caa         CAA  128 issue "ca.example.net; account=1"
loc         LOC  52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m
naptr       NAPTR 100 10 "S" "SIP+D2U" "" _sip._udp
svc         SVCB 1 . alpn="h2,h3" port=8443
unknown     TYPE1234 \# 4 01020304
rp          RP   Admin.Example.org. txt.example.org.
sig         RRSIG A 13 3 3600 20300101000000 20200101000000 12345 example.org. AAAA
sig         RRSIG TXT 13 3 600 20300101000000 20200101000000 12345 example.org. AAAA
sig         A    192.0.2.9
ds          NS   ns1
ds          DS   1 13 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
empty       TYPE1234 \# 0
\$ttl        A    192.0.2.30
\@           A    192.0.2.31
x.\@.$y      A    192.0.2.32
\{.\000      SRV  1 2 3 $a\.b
rp.\[       RP   \( x.\255
hinfo       HINFO "a \"quoted\" \\ thing" ""
`

func TestReading(t *testing.T) {
	z := mustZone(t, "example.org.", everything)
	for owner, want := range map[string]string{
		"example.org. SOA":            "5400 ns1.example.org. hostmaster.example.org. 2024010101 7200 900 1209600 300",
		"ns1.example.org. A":          "600 192.0.2.1",
		"ns1.example.org. AAAA":       "600 2001:db8::1",
		"*.example.org. TXT":          `5400 "quoted ; no comment" "and (more)" "plain"`,
		`esc\.aped.example.org. A`:    "5400 192.0.2.3",
		"abc.example.org. A":          "5400 192.0.2.4",
		"www.sub.example.org. CNAME":  "5400 sub.example.org.",
		"dkim.example.org. TXT":       `5400 "v=DKIM1; k=rsa; " "p=MIIB"`,
		"rp.example.org. RP":          "5400 admin.example.org. txt.example.org.",
		"empty.example.org. TYPE1234": `5400 \# 0`,
	} {
		name, typ, _ := strings.Cut(owner, " ")
		number, _ := parseType(typ)
		set := z.Set(mustName(t, name), number)
		rdata, _ := CutRdata(set.Data())
		_, got, _ := strings.Cut(Record{z.Origin(), number, set.TTL, rdata}.String(), "\t")
		if got = strings.Replace(got, "\tIN\t"+typ+"\t", " ", 1); got != want {
			t.Errorf("%s is %q, want %q", owner, got, want)
		}
	}
	if ttl := z.Set(z.Origin(), dns.TypeNS).TTL; ttl != 300 {
		t.Errorf("NS of two TTLs have %d, want the shorter, 300", ttl)
	}
	if sigs := z.Sets(mustName(t, "sig.example.org.")); len(sigs) != 3 || sigs[1].Covers != dns.TypeA || sigs[2].Covers != dns.TypeTXT {
		t.Errorf("signatures of two types are the sets %v", sigs)
	}
}

func TestPrintingAndReadingAgain(t *testing.T) {
	z := mustZone(t, "example.org.", everything)
	var text bytes.Buffer
	if err := z.Print(&text); err != nil {
		t.Fatal(err)
	}
	checkSame(t, mustZone(t, "example.org.", text.String()), z)
	for _, line := range []string{
		"\\036ttl\t5400\tIN\tA\t192.0.2.30\n", "\\064\t5400\tIN\tA\t192.0.2.31\n", // else they would be a directive, and the origin
		"\\123.\\000\t5400\tIN\tSRV\t1 2 3 \\036a\\046b.example.org.\n", // servers of others do not take these characters as they are
		"rp.\\091\t5400\tIN\tRP\t\\# 32 0128076578616d706c65036f7267000178",
	} {
		if !strings.Contains(text.String(), "\n"+line) {
			t.Errorf("the text lacks %q", line)
		}
	}
	if !strings.HasPrefix(text.String(), "$ORIGIN example.org.\n@\t5400\tIN\tSOA\t") {
		t.Errorf("the text begins %q", text.String()[:60])
	}
}

// TestErrorsOfAZoneFile has what is written, and the problem that is reported.
func TestErrorsOfAZoneFile(t *testing.T) {
	for text, want := range map[string]string{
		"\n\nwww A 192.0.2.1.5\n":                `line 3: the A record of www.example.org. cannot be read: bad A A: "192.0.2.1.5"; it is written like A 192.0.2.1`,
		"www A\n":                                `line 1: the A record of www.example.org. cannot be read: `,
		"www MX mail\n":                          `line 1: the MX record of www.example.org. cannot be read: bad MX Pref: "mail"; it is written like MX 10 mail.example.org.`,
		"www AA 192.0.2.1\n":                     `line 1: "AA" is no type of records`,
		"www\n":                                  `line 1: the line ends before the record's type`,
		"  A 192.0.2.1\n":                        `line 1: the line begins with a blank, which stands for the name of the line before, but there is none`,
		"www.example.net. A 192.0.2.1":           `line 1: www.example.net. is not in the zone example.org.`,
		"$INCLUDE other.zone\n":                  `line 1: $INCLUDE is refused: a zone is one text; put the other file's lines in its place`,
		"$GENERATE 1-9 h$ A 10.0.0.$":            `line 1: $GENERATE is refused: write out the records that it stands for`,
		"$FOO bar\n":                             `line 1: $FOO is not known; the directives are $ORIGIN and $TTL`,
		"$TTL soon\n":                            `line 1: $TTL soon is not a time`,
		"$TTL 4294967295\n":                      `line 1: $TTL 4294967295 is not a time`,
		"$ORIGIN a..b\n":                         `line 1: "a..b.example.org." is not a domain name`,
		"www TXT \"open\nx A 192.0.2.1":          `line 1: a quotation mark is not closed on the same line`,
		"www A ( 192.0.2.1\n":                    `line 1: a parenthesis that is opened here is never closed`,
		"www A 192.0.2.1 )\n":                    `line 1: there is a closing parenthesis without an opening one before it`,
		"www CH TXT x\n":                         `line 1: class CH is not served, only IN`,
		"www ANY x\n":                            `line 1: ANY is not a type of records that a zone can have`,
		"www TYPE1 \\# 3 010203\n":               `line 1: the A record of www.example.org. cannot be read: `,
		"www A 192.0.2.1\nwww A 192.0.2.1\n":     `line 2: warning: the same A record of www.example.org. is there twice`,
		"www A 192.0.2.1\nwww 60 A 192.0.2.2\n":  `line 2: warning: the A records of www.example.org. have different TTLs, 3600 and 60: all get the shorter one`,
		strings.Repeat("a", 64) + " A 192.0.2.1": `line 1: "` + strings.Repeat("a", 64) + `.example.org." is not a domain name`,
	} {
		_, problems := Read(mustName(t, "example.org."), strings.Replace("$TTL 3600;"+text, "$TTL 3600;", "", 1))
		if !strings.Contains(text, "$TTL") { // one line up, so that line numbers stay
			_, problems = Read(mustName(t, "example.org."), "$TTL 3600\n"+text)
			for i := range problems {
				problems[i].Line--
			}
		}
		if len(problems) == 0 || !strings.HasPrefix(problems[0].String(), want) {
			t.Errorf("%q: the problems are %q, want %q", text, problems, want)
		}
	}
	if _, problems := Read("\x04test\x00", "www A 192.0.2.1"); problems.Err() == nil {
		t.Error("a record is read that has no TTL")
	}
}

func TestALongListOfErrorsIsCut(t *testing.T) {
	if _, problems := Read("\x04test\x00", strings.Repeat("x y z\n", 10000)); len(problems) > 2*maxProblems {
		t.Errorf("%d problems are reported", len(problems))
	}
}

func TestTTL(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "3600": 3600, "1h30m": 5400, "2W": 1209600, "1d1s": 86401, "2147483647": 2147483647,
		"2147483648": -1, "": -1, "h": -1, "1h1h1": 7201, "1x": -1, "99999999999": -1} {
		got, ok := parseTTL(text)
		if ok != (want >= 0) || ok && int64(got) != want {
			t.Errorf("%q is %d, %v; want %d", text, got, ok, want)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(everything)
	f.Add(rfc4592)
	f.Add("$TTL 1\na TYPE1 \\# 4 01020304\n\\# TXT \\# 1 00\n@ HTTPS 1 . key9999=\"\\001\"\n")
	f.Fuzz(func(t *testing.T, text string) {
		z, _ := Read("\x07example\x03org\x00", text)
		z.Check()
		var printed bytes.Buffer
		if err := z.Print(&printed); err != nil {
			t.Fatal(err)
		}
		again, problems := Read(z.Origin(), printed.String())
		if err := problems.Err(); err != nil {
			t.Fatalf("what was printed is not read: %v\n%s", err, printed.String())
		}
		checkSame(t, again, z)
		loaded, err := Load(z.Origin(), z.Entries())
		if err != nil {
			t.Fatal(err)
		}
		checkSame(t, loaded, z)
	})
}
