package correlate

// ahead is how many alerts are looked up together.
const ahead = 16

// cacheLine is how many bytes of memory come together.
const cacheLine = 64

// warm looks up what the records are about and reads the first of it, for no other purpose than to
// have it in the processor's cache when the records are applied. An update waits five or six times
// in a row for memory that nobody has touched for a while: the table of alerts, the alert, its
// texts, its incident. Asked for in groups, the memory of sixteen alerts comes at the same time. It
// decides nothing: a record may well find something else by the time that it is applied.
func (e *Engine) warm(batch []Record) {
	var room [ahead]*liveAlert
	found := room[:0]
	touched := uint64(0)
	for i := range batch {
		if r := &batch[i]; r.Kind == KindAlert {
			touched += e.alerts.home(&r.Alert.Fingerprint).word
		}
	}
	for i := range batch {
		if r := &batch[i]; r.Kind == KindAlert {
			if l := e.alerts.get(&r.Alert.Fingerprint); l != nil {
				found = append(found, l)
			}
		}
	}
	e.touched = touched + touch(found)
}

// touch reads a little of each alert, its texts and its incident. What it returns means nothing, but
// without it the compiler would leave the reading out.
func touch(alerts []*liveAlert) (touched uint64) {
	for _, l := range alerts {
		touched += uint64(l.latestAt) + uint64(len(l.texts.bytes)) + l.own.events
	}
	for _, l := range alerts {
		for at := 0; at < len(l.texts.bytes); at += cacheLine {
			touched += uint64(l.texts.bytes[at])
		}
		if l.member != nil {
			in := l.member.incident
			touched += in.Events + in.born + uint64(in.seen) + in.page.seq + in.close.seq +
				uint64(len(in.Services)) + uint64(in.window.last)
		}
	}
	return touched
}
