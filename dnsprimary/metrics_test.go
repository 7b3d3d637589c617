package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

func TestMetrics(t *testing.T) {
	w := newWorld(t)
	question, err := new(dns.Msg).SetQuestion("nothing.example.org.", dns.TypeA).Pack()
	if err != nil {
		t.Fatal(err)
	}
	w.ask(question)
	r := httptest.NewRecorder()
	w.s.metrics(r, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for _, want := range []string{
		`hearth_dns_replies_total{rcode="NXDOMAIN"} 1`, "hearth_dns_dropped_total 0", "hearth_dns_silent_total 0", `hearth_dns_serial{zone="example.org."} 1`,
	} {
		if !strings.Contains(r.Body.String(), want+"\n") {
			t.Errorf("%s is not in\n%s", want, r.Body)
		}
	}
}
