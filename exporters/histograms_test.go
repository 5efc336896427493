package exporters

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"github.com/layerwatch/layerwatch/chains"
	"github.com/layerwatch/layerwatch/chains/all"
)

// histograms lists the histograms that are declared anywhere.
func histograms() []*chains.Metric {
	var out []*chains.Metric
	for _, m := range all.Metrics() {
		if m.Kind == chains.Histogram {
			out = append(out, m)
		}
	}
	return out
}

// oneInEach watches devnet and observes one sample in each classic bucket of every histogram.
func oneInEach(t testing.TB) *Registry {
	t.Helper()
	r, err := NewRegistry(all.Metrics())
	if err != nil {
		t.Fatal(err)
	}
	r.Watch(devnet())
	for _, m := range histograms() {
		for _, bound := range m.Buckets {
			observe(r, time.Now(), m.Sample(bound, m.Labels...))
		}
		observe(r, time.Now(), m.Sample(2*m.Buckets[len(m.Buckets)-1], m.Labels...))
	}
	return r
}

func TestClassicBuckets(t *testing.T) {
	t.Parallel()
	got := scrape(t, oneInEach(t))
	for _, m := range histograms() {
		var labels strings.Builder // They are their own values, and all of them sort before "network".
		for _, label := range m.Labels {
			fmt.Fprintf(&labels, "%s=%q,", label, label)
		}
		labels.WriteString(`network="devnet"`)
		sum := 2 * m.Buckets[len(m.Buckets)-1]
		for i, bound := range m.Buckets {
			sum += bound
			name := fmt.Sprintf("%s_bucket{%s,le=%q}", m.Name, labels.String(), strconv.FormatFloat(bound, 'g', -1, 64))
			if want := strconv.Itoa(i + 1); got[name] != want {
				t.Errorf("%s is %q, want %q", name, got[name], want)
			}
		}
		total := strconv.Itoa(len(m.Buckets) + 1)
		if name := fmt.Sprintf("%s_bucket{%s,le=\"+Inf\"}", m.Name, labels.String()); got[name] != total {
			t.Errorf("%s is %q, want %q", name, got[name], total)
		}
		if name := fmt.Sprintf("%s_count{%s}", m.Name, labels.String()); got[name] != total {
			t.Errorf("%s is %q, want %q", name, got[name], total)
		}
		name := fmt.Sprintf("%s_sum{%s}", m.Name, labels.String())
		if value, err := strconv.ParseFloat(got[name], 64); err != nil || value < .999*sum || value > 1.001*sum {
			t.Errorf("%s is %q, want %g", name, got[name], sum)
		}
	}
}

// protobufAccepted is how Prometheus asks for native histograms.
const protobufAccepted = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6," +
	"application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2"

func TestNativeHistograms(t *testing.T) {
	t.Parallel()
	s := server()
	s.Registry = oneInEach(t)
	response := get(t, s, "/metrics", "Accept", protobufAccepted)
	format := expfmt.ResponseFormat(response.Header())
	if format.FormatType() != expfmt.TypeProtoDelim {
		t.Fatalf("content type %q", response.Header().Get("Content-Type"))
	}
	families := make(map[string]*dto.MetricFamily)
	for decoder := expfmt.NewDecoder(bytes.NewReader(response.Body.Bytes()), format); ; {
		var family dto.MetricFamily
		if err := decoder.Decode(&family); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		families[family.GetName()] = &family
	}
	for _, m := range histograms() {
		metrics := families["layerwatch_"+m.Name].GetMetric()
		if len(metrics) != 1 {
			t.Errorf("%s: %d series", m.Name, len(metrics))
			continue
		}
		h := metrics[0].GetHistogram()
		if h.Schema == nil || len(h.GetPositiveSpan()) == 0 {
			t.Errorf("%s is not native: %v", m.Name, h)
		}
		if len(h.GetBucket()) < len(m.Buckets) {
			t.Errorf("%s has %d classic buckets beside the native ones, want %d", m.Name, len(h.GetBucket()), len(m.Buckets))
		}
		count, last := int64(h.GetZeroCount()), int64(0)
		for _, delta := range h.GetPositiveDelta() {
			last += delta
			count += last
		}
		if want := int64(len(m.Buckets) + 1); count != want || h.GetSampleCount() != uint64(want) {
			t.Errorf("%s: the native buckets hold %d of %d samples, want %d", m.Name, count, h.GetSampleCount(), want)
		}
	}
}
