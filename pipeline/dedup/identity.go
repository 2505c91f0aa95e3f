package dedup

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/cespare/xxhash/v2"

	"quell/correlate"
)

// IdentityConfig says what makes two events one alert.
type IdentityConfig struct {
	Key    [16]byte // secret; zero means DefaultKey
	Fields []string // of service, entity and check; nil means all three, in any order
	Labels []string // labels that are part of the identity, in any order
}

// Identity computes fingerprints. It keeps scratch memory: one for each worker.
type Identity struct {
	key                    sipKey
	service, entity, check bool
	labels                 []string // sorted
	scratch                []byte
	ends                   []int // of the identities in scratch
}

// The bytes that begin an identity and its parts. They are pinned: see the golden tests.
const (
	tagExplicit = 1 // scope, dedup_key
	tagComposed = 2 // scope, then parts that are not empty
	tagService  = 3
	tagEntity   = 4
	tagCheck    = 5
	tagLabel    = 6 // name, value
)

// scratchKeep is the largest scratch memory that survives a call.
const scratchKeep = 256 << 10

// NewIdentity compiles c, or says which field or label is wrong.
func NewIdentity(c IdentityConfig) (*Identity, error) {
	id := &Identity{key: keyOr(c.Key), labels: slices.Clone(c.Labels)}
	fields := c.Fields
	if fields == nil {
		fields = []string{"service", "entity", "check"}
	}
	for _, f := range fields {
		switch f {
		case "service":
			id.service = true
		case "entity":
			id.entity = true
		case "check":
			id.check = true
		default:
			return nil, fmt.Errorf("identity field %q does not exist: use service, entity and "+
				"check; the scope is always part, and labels go under labels", f)
		}
	}
	slices.Sort(id.labels)
	id.labels = slices.Compact(id.labels)
	if slices.Contains(id.labels, "") {
		return nil, fmt.Errorf("identity label %q has no name: remove it", "")
	}
	return id, nil
}

// Fingerprint returns the identity's keyed hash, and xxHash64 of the same bytes: equal in every
// deployment, whatever its key, for choosing the partition that a record goes to. A forger can make
// the latter collide at will, so nothing may be decided by it.
//
// Parts that are empty are left out, so two topics of which only one has a label in its identity
// agree on events without that label. An absent label is an empty one.
func (id *Identity) Fingerprint(e *correlate.Event) (fp correlate.Fingerprint, index uint64) {
	b := id.appendIdentity(id.scratch[:0], e)
	id.key.sum128((*[16]byte)(&fp), b)
	index = xxhash.Sum64(b)
	if id.scratch = b; cap(b) > scratchKeep {
		id.scratch = nil
	}
	return fp, index
}

// Fingerprints does what Fingerprint does for many events, without xxHash64. The identities are all
// written before the first is hashed: who reads words of what was just written in bytes waits for it.
func (id *Identity) Fingerprints(events []correlate.Event, to []correlate.Fingerprint) {
	b, ends := id.scratch[:0], id.ends[:0]
	for i := range events {
		b = id.appendIdentity(b, &events[i])
		ends = append(ends, len(b))
	}
	id.scratch, id.ends = append(b, 0, 0, 0, 0, 0, 0, 0, 0), ends // which tail may read
	b = id.scratch
	from := 0
	for i, end := range ends {
		id.key.sum128((*[16]byte)(&to[i]), b[from:end])
		from = end
	}
	if cap(b) > scratchKeep {
		id.scratch = nil
	}
}

func (id *Identity) appendIdentity(b []byte, e *correlate.Event) []byte {
	if e.DedupKey != "" {
		b = append(b, tagExplicit)
		b = appendDelimited(b, e.Scope)
		return appendDelimited(b, e.DedupKey)
	}
	b = append(b, tagComposed)
	b = appendDelimited(b, e.Scope)
	if id.service {
		b = appendPart(b, tagService, e.Service)
	}
	if id.entity {
		b = appendPart(b, tagEntity, e.Entity)
	}
	if id.check {
		b = appendPart(b, tagCheck, e.Check)
	}
	at := 0
	for _, name := range id.labels {
		var value string
		if value, at = labelFrom(e.Labels, at, name); value != "" {
			b = append(b, tagLabel)
			b = appendDelimited(b, name)
			b = appendDelimited(b, value)
		}
	}
	return b
}

func appendPart(b []byte, tag byte, s string) []byte {
	if s == "" {
		return b
	}
	return appendDelimited(append(b, tag), s)
}

func appendDelimited(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// labelFrom finds name at or behind labels[at] and returns its value, "" when there is none, and
// where to look for the next name. Both lists are sorted, so all names together are one merge.
func labelFrom(labels []correlate.Label, at int, name string) (string, int) {
	for at < len(labels) && labels[at].Name < name {
		at++
	}
	if at < len(labels) && labels[at].Name == name {
		return labels[at].Value, at + 1
	}
	return "", at
}

// AlertsPartition returns the alerts partition of a scope, 0 <= p < partitions, by xxHash64. All
// alerts of a scope meet in one partition; a changed number of partitions moves scopes.
func AlertsPartition(scope string, partitions int) int32 {
	if partitions <= 1 {
		return 0
	}
	return int32(xxhash.Sum64String(scope) % uint64(partitions))
}
