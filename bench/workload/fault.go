package workload

// kind is what went wrong.
type kind string

const (
	kindService kind = "service" // one service in one cluster
	kindHost    kind = "host"    // a host and what runs there
	kindRollout kind = "rollout" // a bad version of one service, in two clusters
)

// fault is a true incident. Times are milliseconds since the start of the story.
type fault struct {
	id         int32
	kind       kind
	scope      int
	clusters   []int
	service    int // the root; of a host fault, none
	host       int
	start, end int
	weight     int // volume, 1,000 to 12,000
	depth      int // how many edges it travels
	alerts     int // distinct ones so far
}

const (
	latest            = 4000 // story ms after its end by which a fault's late resolves have come
	shortest, longest = 3500, 10_000
)

// scheduleFaults finds a place and a time for each fault. Two in five follow closely on an earlier
// fault of the same cluster; the others fall anywhere.
func (p *plan) scheduleFaults() {
	for range p.options.Faults {
		f := fault{id: int32(len(p.faults) + 1), weight: p.volume(), depth: p.dice.between(1, 3)}
		if p.follow(&f) || p.anywhere(&f) {
			p.choose(&f)
			p.faults = append(p.faults, f)
			for _, c := range f.clusters {
				p.reserve(&f, c)
			}
		}
	}
}

// volume is skewed: most faults are small.
func (p *plan) volume() int {
	u := p.dice.IntN(1001)
	return 1000 + 11*u*u/1000*u/1000
}

func (p *plan) reserve(f *fault, c int) {
	at := place{f.scope, c}
	p.errors[at] = append(p.errors[at], interval{start: f.start, end: p.silent(f), hard: true,
		load: f.weight / len(f.clusters)})
}

// silent is the time by which nothing of the fault comes any more.
func (p *plan) silent(f *fault) int { return f.end + p.ms(latest) }

func (p *plan) fits(f *fault) bool {
	if f.start < p.ms(600) || p.silent(f) > int(p.options.Length) {
		return false
	}
	for _, c := range f.clusters {
		if p.bridges(place{f.scope, c}, interval{start: f.start, end: p.silent(f), hard: true}) {
			return false
		}
	}
	return true
}

func (p *plan) follow(f *fault) bool {
	if len(p.faults) == 0 || !p.dice.chance(400) {
		return false
	}
	for range 20 {
		before := &p.faults[p.dice.IntN(len(p.faults))]
		f.scope, f.clusters, f.kind = before.scope, before.clusters[:1], kindService
		f.start = before.end + p.ms(latest+int(Quiet)+p.dice.between(0, 1500))
		f.end = f.start + p.ms(p.dice.between(shortest, longest))
		if p.fits(f) {
			return true
		}
	}
	return false
}

func (p *plan) anywhere(f *fault) bool {
	d := p.dice
	for try := range 400 {
		f.kind, f.scope = kindService, d.IntN(len(p.scopes))
		n := len(p.scopes[f.scope].clusters)
		f.clusters = []int{d.IntN(n)}
		if try < 100 && n > 2 && d.chance(80) {
			f.kind = kindRollout
			f.clusters = append(f.clusters, (f.clusters[0]+d.between(1, n-1))%n)
		}
		length := d.between(shortest, max(shortest, longest-try*30)) // crowded: try shorter ones
		f.start = p.ms(d.between(600, max(600, int(storyLength)-latest-length)))
		f.end = f.start + p.ms(length)
		if p.fits(f) {
			return true
		}
	}
	return false
}

// choose names the root: rather something that others depend on.
func (p *plan) choose(f *fault) {
	s := &p.scopes[f.scope]
	f.service = p.dice.IntN(len(s.services))
	for range 2 {
		if len(s.services[f.service].callers) == 0 {
			f.service = p.dice.IntN(len(s.services))
		}
	}
	if f.kind == kindService && p.dice.chance(300) {
		all := s.clusters[f.clusters[0]].instances
		h := pick(p.dice, all[f.service]).host // so something runs there
		if s.hosts[h].cluster == f.clusters[0] {
			f.kind, f.host = kindHost, h
		}
	}
}
