package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// pager is a paging service: a read_committed consumer that runs through the whole round, keeps
// every page that it sees in the order in which it sees them, and answers some.
type pager struct {
	cl   *kgo.Client
	stop context.CancelFunc
	wg   sync.WaitGroup

	answers *kgo.Client // nil: nobody answers
	topic   string      // of responses
	random  *rand.Rand

	mu    sync.Mutex
	pages map[int32][]*kgo.Record  // by partition
	first map[string]time.Time     // by service: when its first page was seen
	said  int                      // responses
	taken map[int32]map[int64]bool // offsets seen, by partition
	wrong []string
}

// page is what the pager reads of a page.
type page struct {
	ID       string `json:"id"`
	Revision uint32 `json:"revision"`
	Service  string `json:"service"`
	State    string `json:"state"`
	Reason   string `json:"reason"`
}

// pagerOptions say what to consume and whether to answer.
type pagerOptions struct {
	addr, pages, responses string
	partitions             int32
	answer                 bool
	seed                   uint64
}

func newPager(o pagerOptions) (*pager, error) {
	from := map[int32]kgo.Offset{}
	for p := range o.partitions {
		from[p] = kgo.NewOffset().At(0)
	}
	g := &pager{topic: o.responses, random: rand.New(rand.NewPCG(o.seed, 7)),
		pages: map[int32][]*kgo.Record{}, first: map[string]time.Time{}, taken: map[int32]map[int64]bool{}}
	var err error
	g.cl, err = kgo.NewClient(kgo.SeedBrokers(o.addr), kgo.DisableClientMetrics(),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(100*time.Millisecond),
		kgo.MetadataMinAge(100*time.Millisecond),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{o.pages: from}))
	if err != nil {
		return nil, err
	}
	if o.answer {
		g.answers, err = kgo.NewClient(kgo.SeedBrokers(o.addr), kgo.DisableClientMetrics(),
			kgo.DefaultProduceTopic(o.responses), kgo.ProducerLinger(0))
		if err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	g.stop = cancel
	g.wg.Go(func() {
		for ctx.Err() == nil {
			g.cl.PollFetches(ctx).EachRecord(func(r *kgo.Record) { g.see(ctx, r) })
		}
	})
	return g, nil
}

func (g *pager) see(ctx context.Context, r *kgo.Record) {
	var p page
	err := json.Unmarshal(r.Value, &p)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.taken[r.Partition] == nil {
		g.taken[r.Partition] = map[int64]bool{}
	}
	if err != nil || g.taken[r.Partition][r.Offset] {
		g.wrong = append(g.wrong, fmt.Sprintf("page at %d/%d: read twice or unreadable (%v)", r.Partition,
			r.Offset, err))
		return
	}
	g.taken[r.Partition][r.Offset] = true
	g.pages[r.Partition] = append(g.pages[r.Partition], r)
	if _, ok := g.first[p.Service]; !ok {
		g.first[p.Service] = time.Now()
	}
	if g.answers != nil {
		g.answer(ctx, &p)
	}
}

// answer does what the dice say: mostly nothing.
func (g *pager) answer(ctx context.Context, p *page) {
	action, incident := "", p.ID
	switch n := g.random.IntN(100); {
	case n < 25:
		action = "acknowledge"
	case n < 40:
		action = "resolve"
	case n < 45:
		action = "note"
	case n < 47:
		action, incident = "acknowledge", p.ID[:2]+"00000000000000000000" // nobody knows it
	case n < 49:
		action = "shrug" // rejected
	default:
		return
	}
	value := fmt.Appendf(nil, `{"incident":%q,"action":%q,"by":"pager"}`, incident, action)
	for range 1 + g.random.IntN(10)/9 { // one in ten is said twice
		g.said++
		g.answers.Produce(ctx, &kgo.Record{Value: value}, func(_ *kgo.Record, err error) {
			if err != nil && ctx.Err() == nil {
				g.mu.Lock()
				defer g.mu.Unlock()
				g.wrong = append(g.wrong, fmt.Sprintf("a response could not be appended: %v", err))
			}
		})
	}
}

// silence ends the answers, so that the round can come to rest.
func (g *pager) silence(ctx context.Context) error {
	g.mu.Lock()
	cl := g.answers
	g.answers = nil
	g.mu.Unlock()
	if cl == nil {
		return nil
	}
	defer cl.Close()
	return cl.Flush(ctx)
}

// seen reports whether a page of every service has been seen.
func (g *pager) seen(services []string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, s := range services {
		if _, ok := g.first[s]; !ok {
			return false
		}
	}
	return true
}

// count is how many pages have been seen of each partition.
func (g *pager) count(partition int32) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.pages[partition])
}

func (g *pager) close() {
	g.stop()
	g.wg.Wait()
	g.cl.Close()
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.answers != nil {
		g.answers.Close()
	}
}
