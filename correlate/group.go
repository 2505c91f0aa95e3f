package correlate

import "encoding/binary"

// group is what one group key has: its incidents, each with a window of its own, in the order in
// which they opened. An incident leaves the group when its window no longer takes late evidence.
//
// Usually one window is open, the current one. Alerts of one key may arrive so much out of order,
// from raw partitions that lag differently, that an alert fits no open window and yet none has
// closed: then the group has several open windows until their timers close them. Closing the
// earlier one at that moment would turn alerts that are merely on their way into late evidence.
type group struct {
	key       string
	incidents []*incident
}

// taking returns the incident whose open window takes an alert with event time t; of several the
// one that opened last.
func (g *group) taking(t Time) *incident {
	for i := len(g.incidents) - 1; i >= 0; i-- {
		in := g.incidents[i]
		if in.window.state == windowOpen && (in.window.takes(t) || in.overflow && !in.resolved()) {
			return in
		}
	}
	return nil
}

// spanning returns the incident whose closed window t lies in; of several the one that opened
// last.
func (g *group) spanning(t, now Time, lateness Duration) *incident {
	for i := len(g.incidents) - 1; i >= 0; i-- {
		w := &g.incidents[i].window
		if w.state == windowClosed && w.spans(t) && now < w.closed.Add(lateness) {
			return g.incidents[i]
		}
	}
	return nil
}

// ruleOf names a rule in a scope.
type ruleOf struct{ scope, rule string }

// occupies tells whether the incident is one of those that the engine may have so many of: as long as
// it takes alerts or is not resolved. What that limit itself made of several groups is none: of these
// there are as many as rules and routes.
func (in *incident) occupies() bool {
	return !in.shared && (!in.resolved() || in.window.state == windowOpen)
}

// occupy counts the incident among the engine's, and among the groups that its rule may have in its
// scope, or no longer. For its rule, what a limit made of several groups is none.
func (e *Engine) occupy(in *incident) {
	is := in.occupies()
	if is == in.occupying {
		return
	}
	in.occupying = is
	of := ruleOf{in.Scope, in.Rule}
	if is {
		e.occupied++
	} else {
		e.occupied--
	}
	switch {
	case in.overflow:
	case is:
		e.ruled.enter(of)
	default:
		e.ruled.leave(of)
	}
}

func (g *group) remove(in *incident) {
	for i, have := range g.incidents {
		if have == in {
			g.incidents = append(g.incidents[:i], g.incidents[i+1:]...)
			return
		}
	}
}

// appendGroupKey appends the key of a's group under rule: length-delimited, so that no value can
// pass for two, and with the names of the fields, so that a rule that keeps its name and groups by
// something else does not meet its old groups.
func appendGroupKey(dst []byte, a *Alert, rule *Rule) []byte {
	dst = append(dst, 'g')
	dst = appendDelimited(dst, a.Scope)
	dst = appendDelimited(dst, rule.Name)
	for _, name := range rule.GroupBy {
		dst = appendDelimited(dst, name)
		dst = appendDelimited(dst, a.Field(name))
	}
	return dst
}

// appendOverflowKey appends the key of the group that all of a rule's groups share once a scope
// has too many open incidents, or the rule too many groups in it.
func appendOverflowKey(dst []byte, scope, rule string) []byte {
	dst = append(dst, 'o')
	dst = appendDelimited(dst, scope)
	return appendDelimited(dst, rule)
}

// appendSharedKey appends the key of the group that all of a rule's groups share, of whatever scope,
// once the engine has too many incidents. Those of different routes stay apart: a page that goes to
// somebody else is lost.
func appendSharedKey(dst []byte, rule, route string) []byte {
	dst = append(dst, 's')
	dst = appendDelimited(dst, rule)
	return appendDelimited(dst, route)
}

func appendDelimited(dst []byte, s string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	return append(dst, s...)
}

// appendKey appends the key of the group that in was opened in.
func (in *incident) appendKey(dst []byte) []byte {
	if in.shared {
		return appendSharedKey(dst, in.Rule, in.Route)
	}
	if in.overflow {
		return appendOverflowKey(dst, in.Scope, in.Rule)
	}
	dst = append(dst, 'g')
	dst = appendDelimited(dst, in.Scope)
	dst = appendDelimited(dst, in.Rule)
	for _, l := range in.Group {
		dst = appendDelimited(dst, l.Name)
		dst = appendDelimited(dst, l.Value)
	}
	return dst
}

// enlist puts in into the group whose key is in e.key.
func (e *Engine) enlist(in *incident) {
	g := e.groups[string(e.key)]
	if g == nil {
		g = &group{key: string(e.key)}
		e.groups[g.key] = g
	}
	g.incidents = append(g.incidents, in)
	in.group = g
}

// closeWindow stops in's window from taking alerts; from now on it takes late evidence.
func (e *Engine) closeWindow(in *incident) {
	e.expireClosed()
	in.close.cancel()
	e.timers.seq++
	in.window.state, in.window.closed, in.window.closedSeq = windowClosed, e.now, e.timers.seq
	e.occupy(in)
	e.closed = append(e.closed, in)
	for len(e.closed)-e.closedHead > e.limits.ClosedGroups {
		e.evicted++
		e.dropOldestClosed()
	}
}

// expireClosed drops the closed windows whose lateness has passed. They close in the order of the
// clock and all live equally long, so the first in the queue is the first to go.
func (e *Engine) expireClosed() {
	for e.closedHead < len(e.closed) &&
		e.closed[e.closedHead].window.closed.Add(e.limits.Lateness) <= e.now {
		e.dropOldestClosed()
	}
}

func (e *Engine) dropOldestClosed() {
	in := e.closed[e.closedHead]
	e.closed[e.closedHead] = nil
	e.closedHead++
	if e.closedHead >= 64 && e.closedHead*2 >= len(e.closed) {
		n := copy(e.closed, e.closed[e.closedHead:])
		clear(e.closed[n:])
		e.closed, e.closedHead = e.closed[:n], 0
	}
	in.window.state = windowGone
	in.group.remove(in)
	if len(in.group.incidents) == 0 {
		delete(e.groups, in.group.key)
	}
	in.group = nil
}
