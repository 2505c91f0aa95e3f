package correlate

// occupancy counts by name, and knows at any time how much the fullest has: it is asked for with each
// step, and there may be as many names as there are alerts.
type occupancy[K comparable] struct {
	counts map[K]int
	having []int // how many names have as much; of the empty ones nothing is known
	most   int
}

func newOccupancy[K comparable]() occupancy[K] {
	return occupancy[K]{counts: make(map[K]int), having: make([]int, 1)}
}

func (o *occupancy[K]) of(name K) int { return o.counts[name] }

func (o *occupancy[K]) enter(name K) {
	n := o.counts[name] + 1
	o.counts[name] = n
	if n == len(o.having) {
		o.having = append(o.having, 0)
	}
	o.having[n-1]--
	o.having[n]++
	o.most = max(o.most, n)
}

func (o *occupancy[K]) leave(name K) {
	n := o.counts[name] - 1
	if n == 0 {
		delete(o.counts, name)
	} else {
		o.counts[name] = n
	}
	o.having[n+1]--
	o.having[n]++
	if o.having[o.most] == 0 { // the only one of the fullest has one less now
		o.most--
	}
}
