package pipeline

import "time"

// Owners that fail are started again without end, and one failure concerns nobody: a broker was
// restarted. A partition that has been failing for tolerated without a success is told. A success
// is an owner that has recovered and then worked for steady. To have recovered is not enough: a
// record that no owner survives is met only afterwards, and an owner that waits in vain for a broker
// may take [stalled] to fail. A long recovery is none, however long it takes: it may fail in the
// end, like the one before.
const (
	tolerated = time.Minute
	steady    = 45 * time.Second
)

// failures are the partitions whose owners have failed. It reads no clock.
type failures map[partition]*failure

type failure struct {
	since time.Time // the first failure after the last success
	works time.Time // when the owner of now had recovered; zero: not yet
	last  error
}

// over reports whether there was a success since.
func (f *failure) over(now time.Time) bool {
	return !f.works.IsZero() && now.Sub(f.works) >= steady
}

// failed notes that the partition's owner failed.
func (all failures) failed(p partition, err error, now time.Time) {
	f := all[p]
	if f == nil || f.over(now) {
		f = &failure{since: now}
		all[p] = f
	}
	f.works, f.last = time.Time{}, err
}

// works notes that the partition's owner has recovered. To say so again changes nothing.
func (all failures) works(p partition, now time.Time) {
	if f := all[p]; f != nil && f.works.IsZero() {
		f.works = now
	}
}

// lasting returns the partitions that have been failing for longer than tolerated, and why.
func (all failures) lasting(now time.Time) map[string]error {
	out := map[string]error{}
	for p, f := range all {
		if now.Sub(f.since) > tolerated && !f.over(now) {
			out[p.String()] = f.last
		}
	}
	return out
}
