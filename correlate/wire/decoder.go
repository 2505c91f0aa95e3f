package wire

import "quell/correlate"

// Decoder reads values as [Decode] does, a batch at a time and without a copy: the strings of a
// record are views into the value that it was read from, and alerts lie in memory that the next
// batch uses again. So a record lives until [Decoder.Reset], and no longer than the value. The zero
// Decoder is ready for use.
type Decoder struct {
	alerts []correlate.Alert
	labels []correlate.Label
}

// The first blocks of a batch. A block that is full is left to the records in it and one of twice
// the size takes its place, so that after a few batches one block holds a whole batch.
const (
	alertBlock = 256
	labelBlock = 1024
)

// Reset begins the next batch: the records of the last one are void.
func (d *Decoder) Reset() { d.alerts, d.labels = d.alerts[:0], d.labels[:0] }

// Decode reads a value that [Append] wrote. Offset and Time of the record are the caller's.
func (d *Decoder) Decode(src []byte) (correlate.Record, error) {
	return decode(Reader{Src: src, batch: d})
}

// alert returns an alert that lives until Reset. ReadAlert sets all of it.
func (d *Decoder) alert() *correlate.Alert {
	if len(d.alerts) == cap(d.alerts) {
		d.alerts = make([]correlate.Alert, 0, max(alertBlock, 2*cap(d.alerts)))
	}
	d.alerts = d.alerts[:len(d.alerts)+1]
	return &d.alerts[len(d.alerts)-1]
}

// labelsOf returns room for n labels that lives until Reset.
func (d *Decoder) labelsOf(n int) []correlate.Label {
	if cap(d.labels)-len(d.labels) < n {
		d.labels = make([]correlate.Label, 0, max(labelBlock, 2*cap(d.labels), n))
	}
	end := len(d.labels) + n
	d.labels = d.labels[:end]
	return d.labels[end-n : end : end]
}
