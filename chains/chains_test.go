package chains

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

const genesis = "0xd4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3"

func TestParseHash(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"with 0x":    genesis,
		"without 0x": genesis[2:],
		"capitals":   "0x" + strings.ToUpper(genesis[2:]),
	} {
		h, err := ParseHash(text)
		if err != nil || h.String() != genesis {
			t.Errorf("%s: %s, %v", name, h, err)
		}
	}
	for name, text := range map[string]string{
		"empty":              "",
		"only 0x":            "0x",
		"too short":          genesis[:64],
		"an odd digit less":  genesis[:65],
		"too long":           genesis + "00",
		"not hexadecimal":    genesis[:64] + "zz",
		"0x twice":           "0x0x" + genesis[4:],
		"letters of 2 bytes": strings.Repeat("é", 32),
		"a space":            " " + genesis[2:65],
	} {
		if h, err := ParseHash(text); err == nil {
			t.Errorf("%s: taken for %s", name, h)
		} else if strings.Contains(err.Error(), "zz") {
			t.Errorf("%s: the error repeats the text: %v", name, err)
		}
	}
}

func TestHashIsZero(t *testing.T) {
	t.Parallel()
	if !(Hash{}).IsZero() {
		t.Error("the hash zero is not zero")
	}
	if (Hash{31: 1}).IsZero() {
		t.Error("a hash that ends in 1 is zero")
	}
}

// The cursor keeps hashes as text.
func TestHashSurvivesJSON(t *testing.T) {
	t.Parallel()
	want := mustHash(genesis)
	text, err := json.Marshal(want)
	if err != nil || string(text) != `"`+genesis+`"` {
		t.Fatalf("encoded as %s, %v", text, err)
	}
	var got Hash
	if err := json.Unmarshal(text, &got); err != nil || got != want {
		t.Errorf("decoded as %s, %v", got, err)
	}
	if err := json.Unmarshal([]byte(`"0x12"`), &got); err == nil {
		t.Error("a short hash was decoded")
	}
}

func TestMustHashPanics(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("a bad hash in the catalogue goes unnoticed")
		}
	}()
	mustHash("0x12")
}

func TestTagsBeginWithTheNewest(t *testing.T) {
	t.Parallel()
	if got := Tags(); !slices.Equal(got, []Tag{Latest, Safe, Finalized}) {
		t.Errorf("tags are %v", got)
	}
}

type categorisedError struct{}

func (categorisedError) Error() string  { return "no" }
func (categorisedError) Reason() string { return "timeout" }

func TestReasonOf(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		err  error
		want string
	}{
		{categorisedError{}, "timeout"},
		{fmt.Errorf("wrapped: %w", categorisedError{}), "timeout"},
		{errors.Join(errors.New("first"), categorisedError{}), "timeout"},
		{errors.New("plain"), "other"},
		{nil, "other"},
	} {
		if got := ReasonOf(test.err); got != test.want {
			t.Errorf("the reason of %v is %q, want %q", test.err, got, test.want)
		}
	}
}

func TestFamilyNamed(t *testing.T) {
	t.Parallel()
	families := []Family{{Name: "evm"}, {Name: "bitcoin"}}
	if f, ok := FamilyNamed(families, "bitcoin"); !ok || f.Name != "bitcoin" {
		t.Errorf("bitcoin is %q, %v", f.Name, ok)
	}
	if f, ok := FamilyNamed(families, "nothing"); ok || f.Name != "" {
		t.Errorf("nothing is %q, %v", f.Name, ok)
	}
}
