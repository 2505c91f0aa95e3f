package correlate_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	. "quell/correlate"
	"quell/correlate/wire"
	"quell/rules"
)

// load makes up what the alerts topic carries in production: alerts of 300 services on 40 clusters,
// some firing, in the byte form that the pipeline reads. It keeps intake's side of each alert.
type load struct {
	rnd    *rand.Rand
	alerts []loadAlert
	open   []int32 // alerts that fire, by index
	raws   [8]int64
	offset int64
	now    Time
	rate   int64 // alerts in a second of log time
	buffer []byte
	values [][]byte
	labels [3]Label
}

// loadAlert is an alert as intake knows it.
type loadAlert struct {
	fingerprint Fingerprint
	number      int32
	place       int32 // in open; -1: it does not fire
	partition   int32
	severity    Severity
	episode     int64
	count       uint64
	first, last Time
}

// mix says what the records are, in percent; the rest are updates.
type mix struct{ fresh, resolved, changed int }

func newLoad() *load {
	return &load{rnd: rand.New(rand.NewPCG(7, 7)), now: base, rate: 20_000,
		labels: [3]Label{{Name: "cluster"}, {Name: "env"}, {Name: "team"}}}
}

// fill makes n records ready as (value, time), at offsets from l.offset on.
func (l *load) fill(n int, m mix) {
	l.buffer, l.values = l.buffer[:0], l.values[:0]
	starts := make([]int, 0, n+1)
	for range n {
		starts = append(starts, len(l.buffer))
		p := l.rnd.IntN(100)
		switch {
		case p < m.fresh || len(l.open) == 0:
			l.fresh()
		case p < m.fresh+m.resolved:
			l.resolve()
		default:
			a := &l.alerts[l.open[l.rnd.IntN(len(l.open))]]
			verdict := VerdictUpdate
			if p < m.fresh+m.resolved+m.changed {
				verdict, a.severity = VerdictChanged, Severity(1+l.rnd.IntN(4))
			}
			a.count += uint64(1 + l.rnd.IntN(20))
			l.write(a, verdict, Firing)
		}
	}
	starts = append(starts, len(l.buffer))
	for i := range n {
		l.values = append(l.values, l.buffer[starts[i]:starts[i+1]])
	}
}

func (l *load) fresh() {
	n := len(l.alerts)
	a := loadAlert{number: int32(n), partition: int32(l.rnd.IntN(len(l.raws))), count: 1,
		severity: Severity(1 + l.rnd.IntN(4)), place: int32(len(l.open)), first: l.now, last: l.now}
	a.episode = l.raws[a.partition]
	binary.BigEndian.PutUint64(a.fingerprint[:], uint64(n+1)*0x9e3779b97f4a7c15)
	binary.BigEndian.PutUint64(a.fingerprint[8:], uint64(n+1)*0xc2b2ae3d27d4eb4f)
	l.alerts = append(l.alerts, a)
	l.open = append(l.open, a.number)
	l.write(&l.alerts[n], VerdictNew, Firing)
}

func (l *load) resolve() {
	i := l.rnd.IntN(len(l.open))
	a := &l.alerts[l.open[i]]
	last := l.open[len(l.open)-1]
	l.open[i], l.alerts[last].place = last, int32(i)
	l.open = l.open[:len(l.open)-1]
	a.place = -1
	a.count++
	l.write(a, VerdictChanged, Resolved)
}

func (l *load) write(la *loadAlert, v Verdict, status Status) {
	n, raw := int(la.number), la.partition
	l.labels[0].Value, l.labels[1].Value = loadNames.cluster[n/7%40], loadNames.env[n%3]
	l.labels[2].Value = loadNames.team[n%300%25]
	a := Alert{Fingerprint: la.fingerprint, Verdict: v, Status: status, Severity: la.severity,
		Scope: "production", Source: "prometheus", Service: loadNames.service[n%300],
		Entity:  fmt.Sprint("pod/", loadNames.service[n%300], "-7d9f8b6c5d-", n),
		Check:   loadNames.check[n/300%12],
		Summary: "p99 latency of the last five minutes is above the objective of 500 ms",
		URL:     "https://runbooks.example.com/latency-above-objective", Value: "512.25",
		Labels: l.labels[:], Epoch: 0x1234567890abcdef,
		Episode: la.episode, FirstOffset: l.raws[raw],
		First: la.first, Since: la.last, Last: l.now, Received: l.now, Count: la.count}
	a.Raw = RawPosition{RawPartition: RawPartition{Topic: "events", Partition: raw},
		Offset: l.raws[raw]}
	la.last = l.now
	l.raws[raw]++
	r := Record{Kind: KindAlert, Alert: &a}
	l.buffer = wire.Append(l.buffer, &r)
}

// take returns the time of the record at the offset that comes next, and goes on by one.
func (l *load) take() (offset int64, at Time) {
	l.offset++
	if l.offset%l.rate == 0 {
		l.now = l.now.Add(Second)
	}
	return l.offset - 1, l.now
}

// The names that the load's alerts have.
var loadNames = struct{ service, cluster, env, team, check []string }{
	names("service", 300), names("eu-west-", 40), []string{"prod", "staging", "dev"},
	names("team-", 25), names("check-", 12)}

func names(prefix string, n int) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprint(prefix, i))
	}
	return out
}

// loadRules compiles n rules of every kind of matcher, with a route for each fifth of them and a
// catalog of all services.
func loadRules(t testing.TB, n int) RuleSet {
	var spec rules.Spec
	for i := range n - 1 {
		s := loadNames.service[i%300]
		r := rules.Rule{Name: fmt.Sprint("rule-", i), GroupBy: &[]string{"service", "cluster"}}
		switch i % 10 {
		case 0, 1, 2, 3:
			r.Match = rules.Match{fmt.Sprintf(`service=%q, check=~"check-(%d|%d)"`, s, i%12, i%7)}
		case 4, 5:
			r.Match = rules.Match{fmt.Sprintf(`service=~"service%d[0-9]", cluster="eu-west-%d"`, i%30, i%40)}
		case 6:
			r.Match = rules.Match{fmt.Sprintf(`check="check-%d", env!="dev", team="team-%d"`, i%12, i%25)}
			r.Window = rules.Window{Kind: "fixed"}
		case 7:
			r.Match = rules.Match{fmt.Sprintf(`cluster=~"eu-west-(%d|%d|%d)", severity=~"error|critical"`,
				i%40, i%39, i%37), `team!~"team-1.*"`, fmt.Sprintf(`check="check-%d"`, i%12)}
			r.GroupBy = &[]string{"cluster", "check"}
		case 8:
			r.Match = rules.Match{fmt.Sprintf(`entity=~"pod/service%d-.*9"`, i%300)}
			r.GroupBy = &[]string{"entity"}
		case 9:
			r.Match = rules.Match{fmt.Sprintf(`team="team-%d", region=""`, i%25), `env="prod"`,
				fmt.Sprintf(`check!="check-%d"`, i%12)}
		}
		spec.Rules = append(spec.Rules, r)
	}
	for i := range n / 5 {
		spec.Routes = append(spec.Routes, rules.Route{Name: fmt.Sprint("route-", i),
			Match: rules.Match{fmt.Sprintf(`team=~"team-%d", cluster=~".*-%d"`, i%25, i%40)}})
	}
	for _, s := range loadNames.service {
		spec.Services = append(spec.Services, rules.Service{Name: s, Owner: "team", Priority: "P2",
			Runbook: "https://runbooks.example.com/${service}"})
	}
	set, problems := rules.Compile(spec, nil)
	if set == nil {
		t.Fatal(problems)
	}
	return set
}
