package account

import (
	"fmt"
	"sync/atomic"
	"testing"
)

func BenchmarkAuthenticate(b *testing.B) {
	a := withAlice(b)
	s := session(b, a, "PHONE")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.Authenticate(b.Context(), s.Token); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAuthenticateParallel(b *testing.B) {
	a := withAlice(b)
	s := session(b, a, "PHONE")
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := a.Authenticate(b.Context(), s.Token); err != nil {
				b.Error(err)
			}
		}
	})
}

// BenchmarkRegister makes users with the password cost that the server has, several at once.
func BenchmarkRegister(b *testing.B) {
	a := newAccounts(b, Options{Cost: DefaultCost()})
	var n atomic.Int64
	b.ReportAllocs()
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			id, err := a.Create(b.Context(), fmt.Sprint("user", n.Add(1)), "a good password", NewUser{})
			if err == nil {
				_, err = a.NewSession(b.Context(), id, "", "")
			}
			if err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(n.Load())/b.Elapsed().Seconds(), "users/s")
}
