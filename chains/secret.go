package chains

import (
	"fmt"
	"io"
)

const redacted = "[redacted]"

// Secret is a text that must not be seen: an endpoint's URL. However it is printed, logged or encoded, it gives
// "[redacted]"; only Reveal gives the text. The text stands behind a pointer because fmt, when it prints a struct,
// looks through unexported fields without asking their String method.
type Secret struct{ text *string }

// NewSecret hides a text.
func NewSecret(text string) Secret { return Secret{text: &text} }

// Reveal gives the text, for the one place that dials it.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsZero tells whether there is nothing to hide.
func (s Secret) IsZero() bool { return s.Reveal() == "" }

// Equal tells whether two secrets hide the same text.
func (s Secret) Equal(other Secret) bool { return s.Reveal() == other.Reveal() }

// String never gives the text.
func (s Secret) String() string { return redacted }

// Format covers every verb of fmt.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText covers JSON, YAML and the logger.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
