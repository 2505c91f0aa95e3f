package tap

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"quell/correlate"
	"quell/correlate/archive"
	"quell/correlate/wire"
	"quell/pipeline"
	"quell/pipeline/decode"
)

// event is a decoded event for people.
type event struct {
	Time     correlate.Time     `json:"time"`
	ID       string             `json:"id,omitempty"`
	DedupKey string             `json:"dedup_key,omitempty"`
	Scope    string             `json:"scope"`
	Source   string             `json:"source"`
	Service  string             `json:"service"`
	Entity   string             `json:"entity"`
	Check    string             `json:"check"`
	Severity correlate.Severity `json:"severity"`
	Status   correlate.Status   `json:"status"`
	Summary  string             `json:"summary,omitempty"`
	URL      string             `json:"url,omitempty"`
	Value    string             `json:"value,omitempty"`
	Labels   map[string]string  `json:"labels,omitempty"`
	Notes    string             `json:"notes,omitempty"` // what was cut or left out
}

// rejection is why a payload is no event.
type rejection struct {
	Reason string `json:"reason"`
	Detail string `json:"detail"`
	payload
}

// rawReader reads a raw topic by its own format.
func rawReader(raw pipeline.RawTopic) reader {
	d := raw.Format.NewDecoder()
	return func(r *kgo.Record) (string, any, error) {
		d.Reset()
		var ev correlate.Event
		meta := decode.RecordMeta{Topic: r.Topic, Time: correlate.TimeOf(r.Timestamp)}
		notes, no := d.Decode(r.Value, meta, &ev)
		if no != nil {
			return "rejection", rejection{no.Reason.String(), no.Error(), payloadOf(r.Value)}, nil
		}
		return "event", event{Time: ev.Time, ID: ev.ID, DedupKey: ev.DedupKey, Scope: ev.Scope,
			Source: ev.Source, Service: ev.Service, Entity: ev.Entity, Check: ev.Check,
			Severity: ev.Severity, Status: ev.Status, Summary: ev.Summary, URL: ev.URL,
			Value: ev.Value, Labels: labelsOf(ev.Labels), Notes: notes.String()}, nil
	}
}

func labelsOf(labels []correlate.Label) map[string]string {
	out := make(map[string]string, len(labels))
	for _, l := range labels {
		out[l.Name] = l.Value
	}
	return out
}

// readResponse reads the responses topic, where JSON that is no response is rejected by intake.
func readResponse(r *kgo.Record) (string, any, error) {
	var resp correlate.Response
	if err := json.Unmarshal(r.Value, &resp); err != nil {
		return "rejection", rejection{"bad_response", err.Error(), payloadOf(r.Value)}, nil
	}
	return "response", resp, nil
}

// alert is an alert record for people: correlate.Alert in JSON.
type alert struct {
	Fingerprint correlate.Fingerprint `json:"fingerprint"`
	Verdict     correlate.Verdict     `json:"verdict"`
	Flush       bool                  `json:"flush,omitempty"`
	Scope       string                `json:"scope"`
	Source      string                `json:"source"`
	Service     string                `json:"service"`
	Entity      string                `json:"entity"`
	Check       string                `json:"check"`
	Severity    correlate.Severity    `json:"severity"`
	Status      correlate.Status      `json:"status"`
	Summary     string                `json:"summary,omitempty"`
	URL         string                `json:"url,omitempty"`
	Value       string                `json:"value,omitempty"`
	Labels      map[string]string     `json:"labels,omitempty"`
	Count       uint64                `json:"count"`
	First       correlate.Time        `json:"first"`
	Since       correlate.Time        `json:"since"`
	Last        correlate.Time        `json:"last"`
	Received    correlate.Time        `json:"received"`
	Raw         correlate.RawPosition `json:"raw"`
	FirstOffset int64                 `json:"first_offset"`
	Episode     int64                 `json:"episode"`
	Epoch       string                `json:"epoch"`
	Behind      int64                 `json:"behind"`
}

// readAlertRecord reads the alerts topic.
func readAlertRecord(r *kgo.Record) (string, any, error) {
	rec, err := wire.Decode(r.Value)
	if err != nil {
		return "", nil, err
	}
	switch rec.Kind {
	case correlate.KindAlert:
		return "alert", alertOf(rec.Alert), nil
	case correlate.KindTick:
		return "tick", map[string]any{"at": rec.Tick.At}, nil
	case correlate.KindResponse:
		return "response", struct {
			Raw correlate.RawPosition `json:"raw"`
			*correlate.Response
		}{rec.Response.Raw, rec.Response}, nil
	case correlate.KindWatermark:
		w := rec.Watermark
		return "watermark", struct {
			Raw      correlate.RawPartition   `json:"raw"`
			At       correlate.Time           `json:"at"`
			Finished bool                     `json:"finished"`
			Idle     bool                     `json:"idle"`
			Of       []correlate.RawPartition `json:"of,omitempty"`
			Next     int64                    `json:"next,omitempty"`
			Said     correlate.Time           `json:"said,omitempty"`
		}{w.Raw, w.At, w.Finished, w.Idle, w.Of, w.Next, w.Said}, nil
	case correlate.KindRuleChange:
		return "rule_change", map[string]string{"previous": rec.RuleChange.Previous.String(),
			"hash": rec.RuleChange.Hash.String()}, nil
	}
	return "", nil, fmt.Errorf("a record of kind %d: run a newer quell", rec.Kind)
}

func alertOf(a *correlate.Alert) alert {
	return alert{Fingerprint: a.Fingerprint, Verdict: a.Verdict, Flush: a.Flush, Scope: a.Scope,
		Source: a.Source, Service: a.Service, Entity: a.Entity, Check: a.Check,
		Severity: a.Severity, Status: a.Status, Summary: a.Summary, URL: a.URL, Value: a.Value,
		Labels: labelsOf(a.Labels), Count: a.Count, First: a.First, Since: a.Since, Last: a.Last,
		Received: a.Received, Raw: a.Raw, FirstOffset: a.FirstOffset, Episode: a.Episode,
		Epoch: fmt.Sprintf("%016x", a.Epoch), Behind: a.Behind}
}

// block is an archive block for people.
type block struct {
	Topic     string  `json:"topic"`
	Partition int32   `json:"partition"`
	From      int64   `json:"from"` // it covers the positions [from, to)
	To        int64   `json:"to"`
	Day       string  `json:"archive_day"`
	Epoch     string  `json:"epoch"`
	Tables    []rowed `json:"tables"`
}

// rowed are the rows that one table gets.
type rowed struct {
	Table string           `json:"table"`
	Rows  []map[string]any `json:"rows"`
}

// readBlock reads the archive and dispositions topics.
func readBlock(r *kgo.Record) (string, any, error) {
	env, err := archive.Decode(r.Value)
	if err != nil {
		return "", nil, err
	}
	b := block{Topic: env.Topic, Partition: env.Partition, From: env.From, To: env.To,
		Day:   time.Unix(int64(env.Day)*86400, 0).UTC().Format(time.DateOnly),
		Epoch: fmt.Sprintf("%016x", env.Epoch), Tables: []rowed{}}
	for i := range env.Sections {
		b.Tables = append(b.Tables, rowsOf(&env.Sections[i]))
	}
	return "block", b, nil
}

func rowsOf(s *archive.Section) rowed {
	out := rowed{Table: s.Table, Rows: make([]map[string]any, 0, s.Rows)}
	for _, values := range s.All() {
		row := make(map[string]any, len(values))
		for i, v := range values {
			switch name := s.Columns[i].Name; name {
			case "topic", "partition", "archive_day", "epoch":
			default:
				if labels, ok := v.([]correlate.Label); ok {
					v = labelsOf(labels)
				}
				row[name] = v
			}
		}
		out.Rows = append(out.Rows, row)
	}
	return out
}

// chunk is a part of a checkpoint's or a snapshot's body.
type chunk struct {
	Unit  string `json:"unit"`
	Slot  int    `json:"slot"`
	Index int    `json:"index"`
	Bytes int    `json:"bytes"`
}

// readState reads the checkpoints and snapshots topics, whose keys say what a record is:
// <unit>/manifest, <unit>/position or <unit>/chunk/<slot>/<index>.
func readState(r *kgo.Record) (string, any, error) {
	key := string(r.Key)
	for _, kind := range [...]string{"manifest", "position"} {
		if unit, ok := strings.CutSuffix(key, "/"+kind); ok {
			fields := map[string]any{}
			d := json.NewDecoder(bytes.NewReader(r.Value))
			d.UseNumber() // an epoch has 64 bits
			if err := d.Decode(&fields); err != nil {
				return "", nil, fmt.Errorf("a %s that is no object: %w", kind, err)
			}
			fields["unit"] = unit
			return kind, fields, nil
		}
	}
	unit, rest, ok := cutLast(key, "/chunk/")
	slot, index, two := strings.Cut(rest, "/")
	c := chunk{Unit: unit, Bytes: len(r.Value)}
	var errSlot, errIndex error
	c.Slot, errSlot = strconv.Atoi(slot)
	c.Index, errIndex = strconv.Atoi(index)
	if !ok || !two || errSlot != nil || errIndex != nil {
		return "", nil, fmt.Errorf("a key that ends in neither manifest, position nor chunk/slot/index")
	}
	return "chunk", c, nil
}

// cutLast cuts s around the last sep.
func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}
