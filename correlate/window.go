package correlate

// windowState says whether a window still takes alerts.
type windowState uint8

const (
	windowOpen   windowState = 1 // takes alerts
	windowClosed windowState = 2 // takes late evidence
	windowGone   windowState = 3 // takes nothing
)

// window is the stretch of event time that one incident's alerts come from.
//
// Which alerts it takes is decided by event time, when it stops taking any by the engine's clock:
//
//	session  takes [start-gap, last+gap) before first+life,  closes at min(join+gap, opened+life)
//	fixed    takes [first, first+length),                    closes at opened+length
//
// first is the event time of the alert that opened it, start and last are the earliest and the
// latest so far, join and opened are engine clock. Life counts from the alert that opened the
// window, also when an older alert moves start back. (Where a group needs two alerts before it
// exists, as in the system that the vector in the tests comes from, life counts from the second.)
type window struct {
	terms  Window
	first  Time // event time
	start  Time // event time
	last   Time // event time
	opened Time // engine clock

	state     windowState
	closed    Time   // engine clock
	closedSeq uint64 // order among all closed windows
}

// openWindow returns the window of an alert with event time t, opened at now.
func openWindow(terms Window, t, now Time) window {
	return window{terms: terms, first: t, start: t, last: t, opened: now, state: windowOpen}
}

// end returns the first moment of event time that the window cannot contain as it stands.
func (w *window) end() Time {
	if w.terms.Kind == WindowFixed {
		return w.first.Add(w.terms.Length)
	}
	end := w.last.Add(w.terms.Gap)
	if w.terms.MaxLife > 0 {
		end = min(end, w.first.Add(w.terms.MaxLife))
	}
	return end
}

// takes tells whether an alert with event time t belongs to the window while it is open.
func (w *window) takes(t Time) bool {
	begin := w.first
	if w.terms.Kind == WindowSession {
		begin = w.start.Add(-w.terms.Gap)
	}
	return begin <= t && t < w.end()
}

// spans tells whether t lies in what the window came to: what decides about late evidence.
func (w *window) spans(t Time) bool {
	begin := w.first
	if w.terms.Kind == WindowSession {
		begin = w.start
	}
	return begin <= t && t < w.end()
}

// extend makes an alert with event time t part of an open session.
func (w *window) extend(t Time) {
	if w.state == windowOpen && w.terms.Kind == WindowSession {
		w.start, w.last = min(w.start, t), max(w.last, t)
	}
}

// closes returns when the window closes on the engine's clock if an alert joins now.
func (w *window) closes(now Time) Time {
	if w.terms.Kind == WindowFixed {
		return w.opened.Add(w.terms.Length)
	}
	at := now.Add(w.terms.Gap)
	if w.terms.MaxLife > 0 {
		at = min(at, w.opened.Add(w.terms.MaxLife))
	}
	return at
}
