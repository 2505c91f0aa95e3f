package dedup

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
)

// defaultKey is the key when none is configured. Everybody knows it, so whoever can write to a raw
// topic can make two identities collide and silence one with the other (at the price of 2^64
// tries, which is dear but not impossible). A deployment with producers that it does not trust
// configures a key of its own. Changing the key changes every fingerprint.
const defaultKey = "quell:dedup:key1"

// DefaultKey returns the key that is used when none is configured. It is public: it keeps
// fingerprints stable, and protects against nobody who has read this.
func DefaultKey() [16]byte { return [16]byte([]byte(defaultKey)) }

// keyOr returns key, or the default for the zero key.
func keyOr(key [16]byte) sipKey {
	if key == [16]byte{} {
		key = DefaultKey()
	}
	return sipKeyOf(key)
}

// ParseKey reads a configured key: 32 hexadecimal digits are the 16 bytes themselves; any other
// string of at least 16 bytes is condensed by SHA-256. Both are stable across releases.
func ParseKey(s string) ([16]byte, error) {
	var key [16]byte
	if len(s) < 16 {
		return key, fmt.Errorf("dedup key has %d bytes: write 32 hexadecimal digits "+
			"(openssl rand -hex 16) or a secret of at least 16 bytes", len(s))
	}
	if b, err := hex.DecodeString(s); err == nil && len(b) == 16 {
		copy(key[:], b)
	} else {
		sum := sha256.Sum256([]byte("quell dedup key\x00" + s))
		copy(key[:], sum[:])
	}
	if key == [16]byte{} {
		return key, errors.New("dedup key is all zeros: write other digits (openssl rand -hex 16)")
	}
	return key, nil
}
