package pipeline

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"quell/correlate"
	"quell/correlate/archive"
	"quell/correlate/wire"
	"quell/pipeline/fetch"
)

// maxResponseBytes bounds a response; a note longer than that belongs elsewhere.
const maxResponseBytes = 16 << 10

// responseReader forwards the responses of paging services and people to the alerts partition of
// the incident that they name, so that an engine has exactly one input. An undecodable response is
// rejected like an undecodable event.
type responseReader struct {
	in      *intake
	raw     correlate.RawPartition
	out     *outbox
	next    int64
	from    int64
	refused refusedBlock
}

func newResponseReader(in *intake, part partition, out *outbox, from int64) *responseReader {
	return &responseReader{in: in, raw: correlate.RawPartition{Topic: part.topic, Partition: part.id},
		out: out, next: from, from: from, refused: newRefusedBlock(in.o)}
}

func (r *responseReader) position() int64 { return r.next }
func (r *responseReader) failed() error   { return r.out.failed() }
func (r *responseReader) ahead() bool     { return false }

func (r *responseReader) idle(time.Time) {
	if r.out.settled() {
		r.in.status.read(partition{r.raw.Topic, r.raw.Partition}, r.next)
	}
}

func (r *responseReader) checkpoint([]byte) ([]byte, manifest) {
	return nil, manifest{Position: r.next}
}

func (r *responseReader) read(p *fetch.Part) {
	var one [1]fetch.Record
	for recs := p.Next(one[:], 0); len(recs) > 0; recs = p.Next(one[:], 0) {
		rec := &recs[0]
		r.next = rec.Offset + 1
		resp, home, err := parseResponse(rec.Value, r.in.o.Topics.AlertsPartitions)
		if err != nil {
			r.in.metrics.rejected.WithLabelValues(r.raw.Topic, "bad_response").Inc()
			r.out.produce(r.refused.add(&r.raw, rec, "bad_response", err.Error()))
			continue
		}
		resp.Raw = correlate.RawPosition{RawPartition: r.raw, Offset: rec.Offset}
		out := &kgo.Record{Topic: r.in.o.Topics.Alerts, Partition: home,
			Value: wire.Append(nil, &correlate.Record{Kind: correlate.KindResponse, Response: resp})}
		if r.in.o.Clock == correlate.ClockEvent {
			// A response has no place in the events' own time: it applies where the engine stands.
			out.Timestamp = time.UnixMilli(1)
		}
		r.out.produce(out)
	}
	if p.Err == nil {
		r.next = max(r.next, p.End())
	}
	r.flush()
	r.in.metrics.lag.WithLabelValues("intake", r.raw.Topic, fmt.Sprint(r.raw.Partition)).Set(float64(p.High - r.next))
}

// flush produces the rejected responses as a block.
func (r *responseReader) flush() {
	if r.refused.size > 0 {
		origin := archive.Origin{Topic: r.raw.Topic, Partition: r.raw.Partition,
			Day: today()}
		env := archive.Envelope{Origin: origin, From: r.from, To: r.next,
			Sections: []archive.Section{r.refused.rows.Section(origin)}}
		r.out.produce(&kgo.Record{Topic: r.in.o.Topics.Archive,
			Partition: archivePartition(r.raw, r.in.o.Topics.ArchivePartitions), Value: env.Append(nil)})
		r.refused.reset()
	}
	r.from = r.next
}

// parseResponse reads a response and finds the alerts partition that its incident id begins with.
func parseResponse(b []byte, partitions int32) (*correlate.Response, int32, error) {
	if len(b) > maxResponseBytes {
		return nil, 0, fmt.Errorf("a response of %d bytes; at most %d are read", len(b), maxResponseBytes)
	}
	resp := new(correlate.Response)
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(resp); err != nil {
		return nil, 0, fmt.Errorf("a response is an object with incident, action, by, at, note, to: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, 0, fmt.Errorf("bytes follow the response")
	}
	if resp.Action == 0 {
		return nil, 0, fmt.Errorf("action is missing: acknowledge, resolve, note or assign")
	}
	prefix, _, ok := strings.Cut(resp.Incident, "-")
	n, err := strconv.ParseInt(prefix, 10, 32)
	if !ok || err != nil || n < 0 || n >= int64(partitions) {
		return nil, 0, fmt.Errorf("incident %q: an incident id is <partition>-<digits> with a "+
			"partition below %d", resp.Incident, partitions)
	}
	return resp, int32(n), nil
}
