package correlate

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strconv"
)

// incidentID returns the id of the incident that the alert a opened: the alerts partition, so that
// a response finds its way, and 20 hexadecimal digits of SHA-256 over the length-delimited scope,
// rule and group values and the raw position and time of a's last event. It depends on what
// happened and on nothing else: whoever computes it again gets the same.
func incidentID(partition int32, in *incident, a *Alert) string {
	b := make([]byte, 0, 256)
	b = appendDelimited(b, in.Scope)
	b = appendDelimited(b, in.Rule)
	b = binary.AppendUvarint(b, uint64(len(in.Group)))
	for _, l := range in.Group {
		b = appendDelimited(b, l.Value)
	}
	b = appendDelimited(b, a.Raw.Topic)
	b = binary.AppendVarint(b, int64(a.Raw.Partition))
	b = binary.AppendVarint(b, a.Raw.Offset)
	b = binary.AppendVarint(b, int64(a.Last))
	sum := sha256.Sum256(b)
	return strconv.Itoa(int(partition)) + "-" + hex.EncodeToString(sum[:10])
}
