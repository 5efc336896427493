package chains

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// At most so many requests are let through in any minute, wherever that begins, and none waits longer than it must.
func TestQuota(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q, start := &Quota{}, time.Now()
		for i := range 20 {
			if err := q.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got, want := time.Since(start), time.Duration(i/QuotaRequests)*QuotaSpan; got != want {
				t.Errorf("request %d was let through after %s, want %s", i, got, want)
			}
		}
		if q.Spare(3) { // There is room for four.
			return
		}
		t.Error("there is room for four, and not for one and three more")
	})
}

func TestQuotaSpare(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := &Quota{}
		for i := range QuotaRequests {
			if got, want := q.Spare(2), i+3 <= QuotaRequests; got != want {
				t.Errorf("after %d requests, room for three is %v", i, got)
			}
			if err := q.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := q.Wait(ctx); err == nil {
			t.Error("a request was let through that was not waited for")
		}
		<-time.After(QuotaSpan)
		if !q.Spare(QuotaRequests - 1) {
			t.Error("after a minute there is no room")
		}
	})
}

// The quota is of a server, whichever network asks it; of servers that are not built in, or of which the configuration says
// more, there is none.
func TestQuotasByHost(t *testing.T) {
	t.Parallel()
	q := NewQuotas(Catalogue()...)
	of := func(url string, limit float64) *Quota {
		return q.Of(Endpoint{URL: NewSecret(url), RateLimit: limit})
	}
	public := of("https://mempool.space/api", 0)
	if public == nil || of("HTTPS://Mempool.Space/api/?a=b", 0) != public {
		t.Error("one server has several quotas, or none")
	}
	if other := of("https://blockstream.info/api", 0); other == nil || other == public {
		t.Error("two servers share a quota")
	}
	for url, limit := range map[string]float64{
		"https://mempool.space/api": 1, "https://mempool.space.example/api": 0, "http://127.0.0.1:3000/api": 0, "://": 0,
	} {
		if of(url, limit) != nil {
			t.Errorf("%s at %v has a quota", url, limit)
		}
	}
	if (*Quotas)(nil).Of(Endpoint{}) != nil {
		t.Error("without quotas, there is one")
	}
}
