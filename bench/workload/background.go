package workload

import "quell/correlate"

// Shares of the background, per mille.
const (
	shareChatter      = 450
	shareHousekeeping = 350
	shareWarnings     = 145
	shareBursts       = 55
)

// addBackground plans what belongs to no fault.
func (p *plan) addBackground() {
	for _, part := range [...]struct {
		share int
		plan  func()
	}{
		{shareChatter, p.addChatter},
		{shareHousekeeping, p.addHousekeeping},
		{shareWarnings, p.addWarnings},
		{shareBursts, p.addBursts},
	} {
		from := len(p.emitters)
		part.plan()
		p.share(from, part.share)
	}
}

// share scales the weights of the emitters from there on to so many parts of the background.
func (p *plan) share(from, parts int) {
	total := 0
	for i := from; i < len(p.emitters); i++ {
		total += p.emitters[i].weight
	}
	for i := from; i < len(p.emitters); i++ {
		e := &p.emitters[i]
		e.weight = max(1, e.weight*parts*1000/total)
	}
}

// addChatter: independent info from everywhere, at low rates.
func (p *plan) addChatter() {
	length := int(p.options.Length)
	for range 24 * p.options.chatter() {
		e := p.somewhere(p.dice.IntN(len(p.scopes)), -1)
		e.check, e.severity, e.end = pick(p.dice, chatterChecks[:]), correlate.Info, length
		if p.dice.chance(300) {
			e.start = p.dice.between(0, length/2)
			e.end = e.start + p.dice.between(length/4, length/2)
		}
		if p.dice.chance(50) {
			e.flap = p.ms(p.dice.between(500, 3000))
		}
		p.murmur(e, p.dice.between(1, 9))
	}
}

// addHousekeeping: a few checks that never stop talking, at any severity but critical.
func (p *plan) addHousekeeping() {
	for s := range p.scopes {
		for range 2 + p.options.chatter()/2 {
			e := p.somewhere(s, -1)
			e.check, e.end = pick(p.dice, housekeepingChecks[:]), int(p.options.Length)
			e.severity = pick(p.dice, []correlate.Severity{correlate.Info, correlate.Warning,
				correlate.Warning, correlate.Error})
			p.murmur(e, p.dice.between(2, 9))
		}
	}
}

// addWarnings: the checks that faults raise, mild and by themselves; half of them on a cluster that
// has a fault at that time.
func (p *plan) addWarnings() {
	for i := range 9 * p.options.chatter() {
		from := p.dice.between(0, int(p.options.Length)*9/10)
		e := p.somewhere(p.dice.IntN(len(p.scopes)), -1)
		if i%2 == 0 && len(p.faults) > 0 {
			f := &p.faults[p.dice.IntN(len(p.faults))]
			e = p.somewhere(f.scope, f.clusters[0])
			from = max(0, f.start-p.ms(p.dice.between(0, 2000)))
		}
		e.check, e.severity = pick(p.dice, faultChecks[tierOf(e.service)]), correlate.Warning
		e.start, e.end = from, from+p.ms(p.dice.between(2000, 14_000))
		p.murmur(e, p.dice.between(1, 9))
	}
}

// addBursts: short errors that nothing but the truth tells from a fault, half of them in the middle
// of one.
func (p *plan) addBursts() {
	wanted := max(2, len(p.faults)/3)
	for try := 0; wanted > 0 && try < 200; try++ {
		length := p.ms(p.dice.between(500, 2000))
		at := place{scope: p.dice.IntN(len(p.scopes))}
		at.cluster = p.dice.IntN(len(p.scopes[at.scope].clusters))
		from := p.dice.between(0, int(p.options.Length)-length)
		if wanted%2 == 0 && len(p.faults) > 0 {
			f := &p.faults[p.dice.IntN(len(p.faults))]
			at = place{f.scope, pick(p.dice, f.clusters)}
			from = p.dice.between(f.start, f.end-length)
		}
		with := interval{start: from, end: from + length + p.ms(600)} // and its resolves
		if p.bridges(at, with) {
			continue
		}
		p.errors[at] = append(p.errors[at], with)
		wanted--
		for range p.dice.between(1, 3) {
			e := p.somewhere(at.scope, at.cluster)
			e.check = pick(p.dice, faultChecks[tierOf(e.service)])
			e.severity = pick(p.dice, []correlate.Severity{correlate.Error, correlate.Error,
				correlate.Critical})
			e.start, e.end = from, from+length
			p.murmur(e, p.dice.between(1, 9))
		}
	}
}

// murmur gives an alert of the background its monitors and, now and then, a resolve.
func (p *plan) murmur(e emitter, weight int) {
	e.weight = weight
	if p.dice.chance(25) {
		e.cluster = ""
	}
	p.watch(&e, 2)
	if p.add(e) && e.end < int(p.options.Length) && p.dice.chance(500) {
		p.resolve(len(p.emitters)-1, 0)
	}
}

// somewhere is an alert of any instance of the scope, in that cluster unless it is negative.
func (p *plan) somewhere(scope, cluster int) emitter {
	s := &p.scopes[scope]
	if cluster < 0 {
		cluster = p.dice.IntN(len(s.clusters))
	}
	i := p.dice.IntN(len(s.services))
	return p.instanceAlert(scope, cluster, i, pick(p.dice, s.clusters[cluster].instances[i]), "")
}

// tierOf reads the tier off a service's name.
func tierOf(service string) tier {
	for t, name := range tierNames {
		if n := len(service) - len(name); n > 0 && service[n:] == name && service[n-1] == '-' {
			return tier(t)
		}
	}
	return compute
}
