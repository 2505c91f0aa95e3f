//go:build synctests

package virtual

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// send produces one record to a partition of the raw topic.
func (w *world) send(partition int32, value string) {
	w.t.Helper()
	r := &kgo.Record{Topic: "events", Partition: partition, Value: []byte(value)}
	if w.now != nil {
		r.Timestamp = w.now()
	}
	if err := w.cl.ProduceSync(w.t.Context(), r).FirstErr(); err != nil {
		w.t.Fatal(err)
	}
	w.sent[partition]++
}

func event(entity, severity, status string) string {
	return fmt.Sprintf(`{"service":"svc-%c","entity":%q,"check":"http","severity":%q,"status":%q,"summary":"it is %s"}`,
		entity[len(entity)-1], entity, severity, status, status)
}

// fire sends one event about one of a few entities of four services, now and then a change, a
// resolution, or something that is no event at all.
func (w *world) fire() {
	w.t.Helper()
	entity := fmt.Sprintf("e-%d-%d", w.dice.IntN(5), w.dice.IntN(4))
	partition := int32(entity[2]) % w.options.Topics.Raw[0].Partitions
	severity := []string{"info", "warning", "error", "error", "critical"}[w.dice.IntN(5)]
	switch n := w.dice.IntN(20); {
	case n == 0:
		w.bad++
		w.send(partition, "not an event")
	case n <= 3 && w.alive[entity] > 0:
		w.send(partition, event(entity, severity, "resolved"))
		delete(w.alive, entity)
	default:
		w.send(partition, event(entity, severity, "firing"))
		w.alive[entity] = partition + 1
	}
}

// flow sends n events within about d.
func (w *world) flow(n int, d time.Duration) {
	w.t.Helper()
	for range n {
		w.fire()
		if d > 0 {
			time.Sleep(time.Duration(w.dice.Int64N(2 * int64(d) / int64(n))))
		}
	}
}

// clear resolves everything that fires.
func (w *world) clear() {
	w.t.Helper()
	for _, entity := range slices.Sorted(maps.Keys(w.alive)) {
		w.send(w.alive[entity]-1, event(entity, "error", "resolved"))
		delete(w.alive, entity)
	}
}
