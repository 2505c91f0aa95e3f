package correlate

// ahead is how many records are looked up together.
const ahead = 16

// warm looks up what the records are about and reads the first of it, for no other purpose than to
// have it in the processor's cache when the records are applied. An update waits five or six times
// in a row for memory that nobody has touched for a while: the table of alerts, the alert, its
// texts, its incident. Asked for in groups, the memory of sixteen alerts comes at the same time. It
// decides nothing: a record may well find something else by the time that it is applied.
func (e *Engine) warm(batch []Record) {
	var found [ahead]*liveAlert
	n := 0
	for i := range batch {
		if r := &batch[i]; r.Kind == KindAlert {
			if l := e.alerts[r.Alert.Fingerprint]; l != nil {
				found[n] = l
				n++
			}
		}
	}
	var touched uint64
	for _, l := range found[:n] {
		touched += uint64(l.latestAt) + uint64(len(l.details.value)) + l.forget.seq
	}
	for _, l := range found[:n] {
		if s := l.details.service; s != "" {
			touched += uint64(s[0])
		}
		if s := l.details.url; s != "" {
			touched += uint64(s[0])
		}
		if l.member != nil {
			in := l.member.incident
			touched += in.Events + in.born + uint64(in.seen) + in.page.seq + in.close.seq +
				uint64(len(in.Services)) + uint64(in.window.last)
		}
	}
	e.touched = touched
}
