package rpc

import (
	stdjson "encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestDecodeDepth(t *testing.T) {
	t.Parallel()
	nested := func(depth int) string {
		return strings.Repeat(`[{"a":`, depth/2) + "1" + strings.Repeat("}]", depth/2)
	}
	for name, c := range map[string]struct {
		text string
		deep bool
	}{
		"flat":                    {`{"a":1}`, false},
		"as deep as allowed":      {nested(maxDepth), false},
		"deeper":                  {nested(maxDepth + 2), true},
		"never closed":            {strings.Repeat("[", maxAnswer), true},
		"objects never closed":    {strings.Repeat(`{"a":`, maxAnswer/5), true},
		"hidden in strings":       {strings.Repeat(`["]",`, 2*maxDepth), true},
		"behind an escaped quote": {strings.Repeat(`["\"]]]]",`, 2*maxDepth), true},
		"behind two escapes":      {`["\\"` + strings.Repeat(",[", 2*maxDepth), true},
		"in a string":             {`"` + strings.Repeat("[", 2*maxDepth) + `"`, false},
		"wide":                    {"[" + strings.Repeat("[],", 2*maxDepth) + "[]]", false},
		"a string without end":    {`["` + strings.Repeat("[", 2*maxDepth), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var value any
			if err := decode([]byte(c.text), &value); errors.Is(err, errTooDeep) != c.deep {
				t.Errorf("decoded with %v", err)
			}
		})
	}
}

// FuzzDecode compares with encoding/json: what one takes, the other takes, and to the same end.
func FuzzDecode(f *testing.F) {
	for _, text := range []string{
		`[{"jsonrpc":"2.0","id":1,"result":{"number":"0x1"}},{"id":"2","error":null}]`, `{"id":null,"error":{"code":-1}}`,
		`nul`, `{"a":1,}`, `[1 2]`, "\"\xff\"", `{"ID":3}`, `"\u12"`, `-`, `1e`, `{"id":1}x`, "",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var ours, theirs []wireAnswer
		compare(t, data, decode(data, &ours), stdjson.Unmarshal(data, &theirs), ours, theirs)
		var one, other wireAnswer
		compare(t, data, decode(data, &one), stdjson.Unmarshal(data, &other), one, other)
	})
}

func compare(t *testing.T, data []byte, err, theirErr error, got, want any) {
	t.Helper()
	if (err == nil) != (theirErr == nil) {
		t.Fatalf("%q: error %v, encoding/json has %v", data, err, theirErr)
	}
	if err == nil && !reflect.DeepEqual(got, want) {
		t.Fatalf("%q: %v, encoding/json has %v", data, got, want)
	}
}
