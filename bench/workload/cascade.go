package workload

import "quell/correlate"

// spread decides what the fault takes with it and gives each affected condition its emitter.
func (p *plan) spread(f *fault) {
	var reached []hit
	if f.kind == kindHost {
		reached = p.breakHost(f)
	} else {
		for _, c := range f.clusters {
			reached = append(reached, hit{cluster: c, service: f.service})
		}
	}
	seen := map[[2]int]bool{}
	for i := 0; i < len(reached); i++ {
		h := reached[i]
		if seen[[2]int{h.cluster, h.service}] {
			continue
		}
		seen[[2]int{h.cluster, h.service}] = true
		p.affect(f, h)
		if h.depth == f.depth {
			continue
		}
		for _, e := range p.scopes[f.scope].services[h.service].callers {
			if p.dice.chance(e.probability) {
				reached = append(reached, hit{cluster: h.cluster, service: e.caller,
					depth: h.depth + 1, delay: h.delay + e.delay})
			}
		}
	}
}

// hit is a service that a fault reached in a cluster, so many edges away, that much later.
type hit struct {
	cluster, service int
	depth            int
	delay            int  // story ms
	here             bool // only the instances on the fault's host
}

// breakHost raises the host's own alerts and returns the services that ran on it in its cluster.
// What ran there for the neighbour cluster shows under the neighbour's name: see leak.
func (p *plan) breakHost(f *fault) []hit {
	s := &p.scopes[f.scope]
	h := s.hosts[f.host]
	for i, check := range faultChecks[compute] {
		if i > 0 && p.dice.chance(400) {
			continue
		}
		e := p.blank(f.scope, f.clusters[0])
		e.service, e.entity, e.check, e.host, e.zone = "compute", h.name, check, h.name, h.zone
		e.team = "platform"
		p.raise(f, e, 0, p.dice.between(0, 300))
	}
	var on []hit
	for i, all := range s.clusters[f.clusters[0]].instances {
		for _, one := range all {
			if one.host == f.host {
				on = append(on, hit{cluster: f.clusters[0], service: i, here: true,
					delay: p.dice.between(50, 500)})
			}
		}
	}
	return on
}

// affect raises the alerts of a service that was hit: all checks of all instances at the root, one
// or two further away.
func (p *plan) affect(f *fault, h hit) {
	s := &p.scopes[f.scope]
	for _, one := range s.clusters[h.cluster].instances[h.service] {
		if h.here && one.host != f.host {
			continue
		}
		checks := faultChecks[s.services[h.service].tier]
		n := len(checks)
		if h.depth > 0 {
			n = p.dice.between(1, 2)
		}
		for _, k := range p.dice.Perm(len(checks))[:n] {
			e := p.instanceAlert(f.scope, h.cluster, h.service, one, checks[k])
			p.raise(f, e, h.depth, h.delay+p.dice.between(0, 400))
		}
	}
}

// leak lets the fault show in another cluster, with a twentieth of its volume, where that neither
// joins two faults nor is a large part of one: a host fault through the neighbour's instances on
// that host, another one through services there.
func (p *plan) leak(f *fault) {
	s := &p.scopes[f.scope]
	n := len(s.clusters)
	if n < 2 || f.kind == kindRollout {
		return
	}
	var through []hit
	if f.kind == kindHost {
		through = p.neighbours(f, (f.clusters[0]+n-1)%n)
	} else if p.dice.chance(250) {
		other := (f.clusters[0] + p.dice.between(1, n-1)) % n
		for range p.dice.between(1, 2) {
			through = append(through, hit{cluster: other, service: p.dice.IntN(len(s.services))})
		}
	}
	if len(through) == 0 {
		return
	}
	at := place{f.scope, through[0].cluster}
	with := interval{start: f.start, end: p.silent(f), load: f.weight / 20}
	if p.bridges(at, with) || p.drowns(at, with) {
		return
	}
	p.errors[at] = append(p.errors[at], with)
	p.seep(f, through)
}

// neighbours returns the services of the other cluster that have an instance on the fault's host.
func (p *plan) neighbours(f *fault, other int) []hit {
	var on []hit
	for i, all := range p.scopes[f.scope].clusters[other].instances {
		for _, one := range all {
			if one.host == f.host {
				on = append(on, hit{cluster: other, service: i, here: true})
				break
			}
		}
	}
	return on
}

// seep raises one alert for each of the services, together a twentieth of the fault.
func (p *plan) seep(f *fault, through []hit) {
	total := 0
	for i := range p.emitters {
		if p.emitters[i].fault == f.id {
			total += p.emitters[i].weight
		}
	}
	s := &p.scopes[f.scope]
	f.alerts -= len(through) // they are beyond the fault's bound
	for _, h := range through {
		for _, one := range s.clusters[h.cluster].instances[h.service] {
			if h.here && one.host != f.host {
				continue
			}
			check := pick(p.dice, faultChecks[s.services[h.service].tier])
			before := len(p.emitters)
			e := p.instanceAlert(f.scope, h.cluster, h.service, one, check)
			p.raise(f, e, 3, p.dice.between(300, 1200))
			if len(p.emitters) > before {
				p.emitters[before].weight = max(1, total/20/len(through))
			}
			break
		}
	}
}

func (p *plan) blank(scope, cluster int) emitter {
	s := &p.scopes[scope]
	return emitter{scope: s.name, region: s.region, cluster: s.clusters[cluster].name}
}

func (p *plan) instanceAlert(scope, cluster, service int, one instance, check string) emitter {
	s := &p.scopes[scope]
	e := p.blank(scope, cluster)
	e.service, e.entity, e.check = s.services[service].name, one.entity, check
	e.host, e.zone = s.hosts[one.host].name, s.hosts[one.host].zone
	e.team = s.services[service].team
	return e
}

// raise gives an alert of the fault its course, from bad at the root to mild far away.
func (p *plan) raise(f *fault, e emitter, depth, delay int) {
	if f.alerts >= p.options.alertsPerFault() {
		return
	}
	d := p.dice
	length := f.end - f.start
	e.fault = f.id
	e.start = min(f.start+p.ms(delay), f.end-length/4)
	e.end = f.end - d.between(0, length/10)
	e.weight = (12 >> min(depth, 3)) * d.between(4, 12)
	e.severity = correlate.Error
	switch r := d.IntN(1000); {
	case depth == 0 && r < 350:
		e.severity = correlate.Critical
	case depth == 0 && r < 700, depth > 0 && r < 200:
		e.rises[0] = e.start + p.ms(d.between(300, 1800))
	case r < 940, depth == 0 && r < 975:
	case depth > 0 && r < 970: // mild throughout
		e.severity, e.weight = correlate.Warning, (e.weight+1)/2
	default:
		e.severity, e.weight = correlate.Warning, (e.weight+1)/2
		e.rises[0] = e.start + p.ms(d.between(150, 700))
		e.rises[1] = e.rises[0] + p.ms(d.between(300, 1800))
	}
	if f.alerts == 0 { // a fault that nobody sees plainly is none
		e.severity, e.rises = correlate.Critical, [2]int{}
	} else if d.chance(25) {
		e.cluster = ""
	}
	if depth > 0 && d.chance(70) {
		e.flap = p.ms(d.between(400, 1500))
	}
	p.watch(&e, 3)
	if !p.add(e) {
		return
	}
	f.alerts++
	p.resolve(len(p.emitters)-1, d.IntN(1000))
}

// watch names the monitors that report the alert.
func (p *plan) watch(e *emitter, most int) {
	e.replicas = p.dice.between(1, most)
	for i, k := range p.dice.Perm(len(sources))[:len(e.sources)] {
		e.sources[i] = sources[k]
	}
}

// resolve plans the first event and the resolves of an alert: 65 in 100 at once, 20 late, 15 never.
func (p *plan) resolve(i, fate int) {
	e := &p.emitters[i]
	p.statements = append(p.statements, statement{at: e.start, emitter: i})
	if fate >= 850 {
		return
	}
	for r := range min(e.replicas, 2) {
		at := e.end + p.ms(p.dice.between(30, 600))
		if fate >= 650 {
			at = e.end + p.ms(p.dice.between(1500, latest-100))
		}
		at = min(at, int(p.options.Length)-1)
		p.statements = append(p.statements,
			statement{at: at, emitter: i, replica: r, resolved: true})
	}
}
