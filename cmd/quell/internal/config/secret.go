package config

import (
	"fmt"
	"log/slog"
)

const redacted = "<redacted>"

// Secret is a text that must not be seen. Every way of printing it shows "<redacted>", or nothing
// for the empty secret. The text lies behind a pointer, so that not even printing a struct that
// holds a Secret in an unexported field shows it.
type Secret struct{ text *string }

// NewSecret wraps s.
func NewSecret(s string) Secret {
	if s == "" {
		return Secret{}
	}
	return Secret{text: &s}
}

// Reveal returns the text.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsSet reports whether there is a text.
func (s Secret) IsSet() bool { return s.text != nil }

// String returns "<redacted>", or "" for the empty secret.
func (s Secret) String() string {
	if s.text == nil {
		return ""
	}
	return redacted
}

// Format prints String for every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, s.String()) }

// MarshalText returns String; JSON and YAML encoders use it.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue returns String.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// UnmarshalText takes the text as it is.
func (s *Secret) UnmarshalText(b []byte) error {
	*s = NewSecret(string(b))
	return nil
}
