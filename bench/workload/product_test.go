package workload

import (
	"crypto/sha256"
	"maps"
	"slices"
	"testing"

	"quell/correlate"
)

// productRules is the recommended rule set as the engine gets it. Its timers keep one law: what a
// fault's incident outlives it by (gap, or resolve_after + reopen_window) is shorter than Quiet.
type productRules struct{ chatter, housekeeping, warnings, domain, rest *correlate.Rule }

func newProductRules() productRules {
	rule := func(name, by string, gap correlate.Duration) *correlate.Rule {
		return &correlate.Rule{Name: name, Kind: correlate.RuleGroup, GroupBy: []string{by},
			Window: correlate.Window{Kind: correlate.WindowSession, Gap: gap,
				MaxLife: 2 * correlate.Minute},
			GroupWait: correlate.Second / 2, GroupInterval: 2 * correlate.Second,
			Repeat: correlate.Minute, ResolveAfter: gap, ReopenWindow: correlate.Second,
			AckTimeout: correlate.Minute, PageAt: correlate.Error}
	}
	return productRules{chatter: rule("chatter", "scope", 10*correlate.Second),
		housekeeping: rule("housekeeping", "scope", 10*correlate.Second),
		warnings:     rule("warnings", "scope", 10*correlate.Second),
		domain:       rule("failure-domain", "cluster", 3*correlate.Second),
		rest:         rule("rest", "service", 3*correlate.Second)}
}

func (p productRules) Hash() correlate.RuleHash { return correlate.RuleHash{1} }

func (p productRules) Resolve(a *correlate.Alert) correlate.Resolution {
	r := p.rest
	switch {
	case a.Severity == correlate.Info:
		r = p.chatter
	case slices.Contains(housekeepingChecks[:], a.Check):
		r = p.housekeeping
	case a.Severity == correlate.Warning:
		r = p.warnings
	case a.Label("cluster") != "":
		r = p.domain
	}
	return correlate.Resolution{Rule: r, PageAt: r.PageAt}
}

// product is the engine behind a slow twin of intake: what is passed on is a first sight, a change
// of severity or status, and an update a second; the rest is owed and flushed after another second.
type product struct {
	t      *testing.T
	engine *correlate.Engine
	offset int64
	known  map[string]*condition
	rows   map[Row]int64
}

// condition is what intake knows of one alert.
type condition struct {
	alert  correlate.Alert // of the last event
	passed int             // arrival of the last event passed on
	owed   []int32         // faults of the events that no record covers yet
}

func newProduct(t *testing.T) *product {
	t.Helper()
	engine, err := correlate.New(correlate.Options{Clock: correlate.ClockAppend,
		RuleSet: newProductRules()})
	if err != nil {
		t.Fatal(err)
	}
	return &product{t: t, engine: engine, known: map[string]*condition{}, rows: map[Row]int64{}}
}

// take is intake's part for one event.
func (p *product) take(s *Storm, now int) {
	e, v := s.current, &s.said
	key := string(e.key)
	c := p.known[key]
	position := int64(s.emitted)
	if c == nil {
		sum := sha256.Sum256(e.key)
		c = &condition{passed: now - 1000, alert: correlate.Alert{
			Fingerprint: correlate.Fingerprint(sum[:16]), Episode: position, Scope: e.scope,
			Service: e.service, Entity: e.entity, Check: e.check, First: at(v.time),
			Labels: []correlate.Label{{Name: "cluster", Value: e.cluster}}}}
		p.known[key] = c
	}
	severity, status := e.severityAt(v.time), e.statusAt(v.time)
	if v.cleared {
		status = correlate.Resolved
	}
	a := &c.alert
	a.Verdict = correlate.VerdictUpdate
	if severity != a.Severity || status != a.Status {
		a.Verdict = correlate.VerdictChanged
	}
	if a.Count == 0 {
		a.Verdict = correlate.VerdictNew
	}
	if len(c.owed) == 0 {
		a.FirstOffset, a.Since = position, at(v.time)
	}
	a.Severity, a.Status, a.Last, a.Received = severity, status, at(v.time), at(now)
	a.Raw.Topic, a.Raw.Offset = "raw", position
	a.Count++
	c.owed = append(c.owed, e.fault)
	if a.Verdict != correlate.VerdictUpdate || now-c.passed >= 1000 {
		p.pass(c, now, false)
	}
}

func at(ms int) correlate.Time { return defaultStart.Add(correlate.Duration(ms)) }

// pass makes a record of the alert and counts the events that it covers.
func (p *product) pass(c *condition, now int, flush bool) {
	alert := c.alert
	alert.Flush = flush
	fx := p.step(correlate.Record{Time: at(now), Kind: correlate.KindAlert, Alert: &alert})
	c.passed = now
	if len(fx.Disposed) != 1 {
		p.t.Fatalf("%d dispositions of one record, %d ignored: %+v", len(fx.Disposed), fx.Ignored, alert)
	}
	for _, fault := range c.owed {
		p.rows[Row{Incident: fx.Disposed[0].Incident, Fault: fault}]++
	}
	c.owed = c.owed[:0]
}

func (p *product) step(r correlate.Record) correlate.Effects {
	var fx correlate.Effects
	r.Offset = p.offset
	p.offset++
	if err := p.engine.Step([]correlate.Record{r}, &fx); err != nil {
		p.t.Fatal(err)
	}
	return fx
}

// sweep flushes what has been owed for a second, and ticks.
func (p *product) sweep(now int) {
	for _, key := range slices.Sorted(maps.Keys(p.known)) {
		if c := p.known[key]; len(c.owed) > 0 && now-c.passed >= 1000 {
			p.pass(c, now, true)
		}
	}
	p.step(correlate.Record{Time: at(now), Kind: correlate.KindTick, Tick: correlate.Tick{At: at(now)}})
}

// simulateProduct runs one storm through intake's twin and the engine. The delay says when what is
// sent at a moment arrives: a pipeline on a busy machine stalls and catches up.
func simulateProduct(t *testing.T, o Options, delay func(now int) int) Quality {
	t.Helper()
	s, p := NewStorm(o), newProduct(t)
	for swept := 0; ; {
		if _, ok := s.Next(); !ok {
			break
		}
		now := delay(s.now)
		for ; now-swept >= 250; swept += 250 {
			p.sweep(swept + 250)
		}
		p.take(s, now)
	}
	p.sweep(delay(s.now) + 2000)
	return scoreOf(t, p.rows, len(s.plan.faults))
}

func none(now int) int { return now }

// stalls arrives at once, except that it hangs for up to three seconds four times in the story.
func stalls(now int) int {
	if since := now % 10_000; since > 7000 {
		return now - since + 10_000
	}
	return now
}

// slow falls behind all the time.
func slow(now int) int { return now * 5 / 4 }
