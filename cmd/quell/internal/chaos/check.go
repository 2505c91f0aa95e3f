package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// verdict is what the checks of a round found. A round in which nothing is lost, doubled or different
// is in order; the other fields say how much was looked at.
type verdict struct {
	Lost, Doubled, Different findings

	Records, Rejected, Responses int
	Alerts, Revisions, Pages     int
	Dispositions, Checkpoints    int
	Uninterrupted                bool // compared with a run that nobody disturbed
}

// findings counts sentences and keeps the first ones.
type findings struct {
	n     int
	first []string
}

const keptSentences = 8

func (f *findings) add(format string, args ...any) {
	if f.n++; f.n <= keptSentences {
		f.first = append(f.first, fmt.Sprintf(format, args...))
	}
}

func (v *verdict) wrong() int { return v.Lost.n + v.Doubled.n + v.Different.n }

// checkArchive compares ClickHouse with the ledger: every record that a broker acknowledged has
// exactly one row, with the id that it was sent with, and there is no other row.
func (w *world) checkArchive(ctx context.Context, v *verdict) error {
	rows, err := w.store.query(ctx, fmt.Sprintf("SELECT partition, offset, id FROM "+
		"%[1]s.events UNION ALL "+
		"SELECT partition, offset, '' AS id FROM %[1]s.rejected WHERE topic = '%[2]s'", w.database(),
		w.load.topic))
	if err != nil {
		return err
	}
	w.load.mu.Lock()
	defer w.load.mu.Unlock()
	var seen [rawPartitions]map[int64]bool
	for p := range seen {
		seen[p] = make(map[int64]bool, len(w.load.ledger[p]))
	}
	for _, r := range rows {
		var p int
		var offset int64
		if _, err := fmt.Sscan(r[0]+" "+r[1], &p, &offset); err != nil || p < 0 || p >= rawPartitions {
			return fmt.Errorf("row %v of the archive: %w", r, err)
		}
		switch id, ok := w.load.ledger[p][offset]; {
		case seen[p][offset]:
			v.Doubled.add("raw record %d/%d (%s) has two rows", p, offset, id)
		case !ok:
			v.Doubled.add("a row at %d/%d, where nothing was appended", p, offset)
		case id != r[2]:
			v.Different.add("the row at %d/%d has id %q, the record %q", p, offset, r[2], id)
		}
		seen[p][offset] = true
	}
	for p, ledger := range w.load.ledger {
		for offset, id := range ledger {
			v.Records++
			if id == "" {
				v.Rejected++
			}
			if !seen[p][offset] {
				v.Lost.add("raw record %d/%d (%s) has no row", p, offset, id)
			}
		}
	}
	return nil
}

// checkLog makes sure that the log holds what the ledger says and nothing else.
func (w *world) checkLog(ctx context.Context, v *verdict) error {
	ends, err := endsOf(ctx, w.adm, w.load.topic)
	if err != nil {
		return err
	}
	w.load.mu.Lock()
	defer w.load.mu.Unlock()
	for p, ledger := range w.load.ledger {
		if ends[int32(p)] != int64(len(ledger)) {
			v.Different.add("raw partition %d ends at %d; %d records were acknowledged", p, ends[int32(p)],
				len(ledger))
		}
	}
	return nil
}

// checkCheckpoints makes sure that no checkpoint ever set a unit back: that would be a stale owner's.
func (w *world) checkCheckpoints(ctx context.Context, v *verdict) error {
	all, err := w.checkpointsOf(ctx)
	if err != nil {
		return err
	}
	for unit, positions := range all {
		v.Checkpoints += len(positions)
		top := int64(-1)
		for _, p := range positions {
			if p < top {
				v.Different.add("the checkpoint of %s was set back from %d to %d", unit, top, p)
			}
			top = max(top, p)
		}
	}
	if v.Checkpoints == 0 {
		return fmt.Errorf("no checkpoint can be read from %s: has their form changed? teach "+
			"checkpointsOf", w.topics.Checkpoints)
	}
	return nil
}

// report is what the check needs of what `quell audit --json` prints.
type report struct {
	OK    bool             `json:"ok"`
	Kinds map[string]int64 `json:"wrong_kinds"`
	Wrong []any            `json:"wrong"`
}

// audit runs `quell audit` while the processes run, and wants exit code 0.
func (w *world) audit(ctx context.Context, v *verdict) error {
	cmd := exec.CommandContext(ctx, w.o.Binary.Quell, "audit", "--config", w.base, "--json",
		"--wait", "45s")
	cmd.Env = append(os.Environ(), "QUELL_CHDB_LIB="+w.o.Binary.Library)
	log, err := os.Create(filepath.Join(w.dir, "audit.log"))
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	cmd.Stderr = log
	out, err := cmd.Output()
	if werr := os.WriteFile(filepath.Join(w.dir, "audit.json"), out, 0o600); werr != nil {
		return errors.Join(err, werr)
	}
	var r report
	if jerr := json.Unmarshal(out, &r); jerr != nil {
		return fmt.Errorf("quell audit said nothing (%w): see %s", errors.Join(err, jerr), log.Name())
	}
	if err != nil || !r.OK {
		auditKind(v, r.Kinds).add("quell audit: %v (%v)", r.Kinds, err)
	}
	return nil
}

// auditKind says where an audit's findings belong: to what is lost, if anything is.
func auditKind(v *verdict, kinds map[string]int64) *findings {
	for k := range kinds {
		if len(k) > 7 && k[:7] == "missing" {
			return &v.Lost
		}
	}
	for k := range kinds {
		if len(k) > 7 && k[:7] == "doubled" {
			return &v.Doubled
		}
	}
	return &v.Different
}
