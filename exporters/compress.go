package exporters

import (
	"compress/gzip"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// compressed lets a handler answer in gzip to who accepts it, at the fastest level. A page of 100 networks, 1.4 MB, then
// takes 2.5 ms and becomes 104 kB; at the default level, the only one that promhttp has, 15 ms and 87 kB.
func compressed(h http.Handler) http.Handler {
	writers := &sync.Pool{New: func() any {
		w, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // It fails only if there is no such level.
		return w
	}}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", "Accept-Encoding")
		if !acceptsGzip(r.Header) {
			h.ServeHTTP(w, r)
			return
		}
		zipper := writers.Get().(*gzip.Writer) //nolint:forcetypeassert // New makes no other.
		defer writers.Put(zipper)
		zipper.Reset(w)
		response := &gzipResponse{w, zipper}
		h.ServeHTTP(response, r)
		_, _ = response.Write(nil) // Even an empty page says how it is encoded.
		_ = zipper.Close()
	})
}

// gzipResponse compresses what is written to it.
type gzipResponse struct {
	http.ResponseWriter
	zipper *gzip.Writer
}

func (r *gzipResponse) WriteHeader(code int) {
	r.Header().Set("Content-Encoding", "gzip")
	r.ResponseWriter.WriteHeader(code)
}

func (r *gzipResponse) Write(p []byte) (int, error) {
	r.Header().Set("Content-Encoding", "gzip")
	return r.zipper.Write(p)
}

// acceptsGzip tells whether gzip is preferred to no encoding, by the same rule as promhttp.
func acceptsGzip(header http.Header) bool {
	quality := make(map[string]float64)
	for _, value := range header.Values("Accept-Encoding") {
		for part := range strings.SplitSeq(value, ",") {
			name, parameter, weighted := strings.Cut(part, ";")
			q := 1.
			if weighted {
				_, weight, _ := strings.Cut(parameter, "=")
				q, _ = strconv.ParseFloat(strings.TrimSpace(weight), 64) // What can't be read is not wanted.
			}
			quality[strings.TrimSpace(name)] = q
		}
	}
	return quality["gzip"] > max(quality["identity"], quality["*"])
}
