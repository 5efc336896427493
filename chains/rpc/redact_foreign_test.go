package rpc

import "testing"

// A proxy of one's own has its upstream's URL, with the key in it, in its errors. That is no part of the endpoint's URL, but
// a secret all the same.
func TestForeignURLs(t *testing.T) {
	t.Parallel()
	scrub := scrubber(revealed("http://proxy.internal:4000/main/evm/1"))
	for text, want := range map[string]string{
		"upstream https://eth.provider.example/v2/" + label + " is down":  "upstream https://….provider.example/… is down",
		"upstream https://" + label + ".provider.example is down":         "upstream https://….provider.example is down",
		`Post "https://me:` + label + `@provider.example:8545/": refused`: `Post "https://provider.example:8545/": refused`,
		"dial WSS://provider.example/?key=" + label:                       "dial WSS://provider.example/…",
		"dial https://10.0.0.5:8545/" + label + ", then http://[::1]:1/":  "dial https://10.0.0.5:8545/… then http://[::1]:1/",
		"limit reached, see https://provider.example.":                    "limit reached, see https://provider.example.",
		"https://" + label + "@":                                          "https://",
		"no URL: https, http:/x, a//b":                                    "no URL: https, http:/x, a//b",
	} {
		if got := scrub(text); got != want {
			t.Errorf("%q is shown as %q, want %q", text, got, want)
		}
	}
}
