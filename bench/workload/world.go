package workload

import "fmt"

// tier is a layer of the service graph; callers stand above what they call.
type tier uint8

const (
	web tier = iota
	api
	worker
	db
	cache
	queue
	compute // not a service: the hosts themselves
)

var tierNames = [...]string{"web", "api", "worker", "db", "cache", "queue", "compute"}

// faultChecks are the conditions that a monitor can see when something of that tier fails. The
// background raises the same ones.
var faultChecks = [...][]string{
	web:     {"http_5xx_rate", "latency_p99", "healthcheck_failed"},
	api:     {"http_5xx_rate", "latency_p99", "error_budget_burn", "thread_pool_full"},
	worker:  {"job_failures", "latency_p99", "healthcheck_failed"},
	db:      {"replication_lag", "connections_exhausted", "slow_queries", "disk_io_wait"},
	cache:   {"hit_ratio_drop", "evictions", "connections_exhausted"},
	queue:   {"consumer_lag", "publish_errors", "disk_io_wait"},
	compute: {"node_down", "memory_pressure", "disk_io_wait", "packet_loss"},
}

var (
	chatterChecks = [...]string{"deploy_event", "config_drift", "autoscaler", "log_pattern",
		"gc_pause"}
	housekeepingChecks = [...]string{"cert_expiry", "backup_age", "ntp_drift", "disk_forecast"}

	scopeNames = [...]string{"eu-prod", "us-prod", "ap-prod", "eu-corp", "us-corp", "ap-corp"}
	sources    = [...]string{"prometheus-a", "prometheus-b", "icinga", "zabbix", "cloudwatch",
		"synthetics"}
	teams = [...]string{"storefront", "payments", "platform", "data", "logistics"}

	words = [...]string{"checkout", "search", "catalog", "orders", "payments", "profile", "media",
		"shipping", "pricing", "basket", "invoice", "ledger", "session", "reviews", "stock", "notify",
		"offers", "returns", "vouchers", "loyalty", "identity", "tax", "quotes", "geo", "audit",
		"partner", "feeds", "images", "ranking", "fraud", "credit", "wallet", "labels", "routes",
		"carriers", "depots", "claims", "survey", "coupons", "giftcards"}

	// shape is the mix of tiers that a graph is built in; the first six make a whole one.
	shape = [...]tier{web, api, db, api, cache, queue, worker, web, api, db, api, web, api, db,
		worker, cache}
)

// edge says that a service is called by another one, and what its failure does to that caller.
type edge struct {
	caller      int
	probability int // per mille that a failure reaches the caller
	delay       int // story ms until it does
}

type service struct {
	name    string
	tier    tier
	team    string
	callers []edge
}

// instance is one process of a service in a cluster.
type instance struct {
	entity string
	host   int // index into the scope's hosts
}

type host struct {
	name    string
	zone    string
	cluster int
}

type cluster struct {
	name      string
	instances [][]instance // by service
	hosts     []int
}

type scope struct {
	name     string
	region   string
	services []service
	hosts    []host
	clusters []cluster
}

func newWorld(o Options, d *dice) []scope {
	scopes := make([]scope, o.Scopes)
	for i := range scopes {
		s := &scopes[i]
		s.name = scopeNames[i]
		s.region = fmt.Sprintf("%s-%d", s.name[:2], d.between(1, 4))
		s.services = newGraph(o.Services, d)
		for c := range o.Clusters {
			s.addCluster(c, o.Hosts, d)
		}
		for c := range s.clusters {
			s.place(c, d)
		}
	}
	return scopes
}

func newGraph(n int, d *dice) []service {
	services := make([]service, n)
	order := d.Perm(len(words))
	var byTier [compute][]int
	for i := range services {
		t := shape[i%len(shape)]
		services[i] = service{tier: t, name: words[order[i]] + "-" + tierNames[t],
			team: pick(d, teams[:])}
		byTier[t] = append(byTier[t], i)
	}
	calls := func(caller, callee int) {
		services[callee].callers = append(services[callee].callers,
			edge{caller: caller, probability: d.between(550, 950), delay: d.between(80, 700)})
	}
	for i := range services {
		switch services[i].tier {
		case web:
			for _, j := range some(d, byTier[api], 1, 3) {
				calls(i, j)
			}
		case api:
			for _, t := range [...]tier{db, cache, queue} {
				for _, j := range some(d, byTier[t], 0, 1) {
					calls(i, j)
				}
			}
			calls(i, pick(d, byTier[db]))
		case worker:
			calls(i, pick(d, byTier[queue]))
			calls(i, pick(d, byTier[db]))
		}
	}
	return services
}

// some draws lo..hi different ones, in an order of its own.
func some(d *dice, from []int, lo, hi int) []int {
	n := min(d.between(lo, hi), len(from))
	out := make([]int, 0, n)
	for _, k := range d.Perm(len(from))[:n] {
		out = append(out, from[k])
	}
	return out
}

func (s *scope) addCluster(number, hosts int, d *dice) {
	c := cluster{name: fmt.Sprintf("%s-c%d", s.region, number+1)}
	for range hosts {
		c.hosts = append(c.hosts, len(s.hosts))
		name := fmt.Sprintf("node-%04d", 1000+len(s.hosts)*7+d.IntN(7))
		s.hosts = append(s.hosts, host{name: name,
			zone: s.region + string("abc"[d.IntN(3)]), cluster: number})
	}
	s.clusters = append(s.clusters, c)
}

// place puts the instances of all services of a cluster on hosts: most on its own, one in twelve
// on a host of the neighbour.
func (s *scope) place(number int, d *dice) {
	c, next := &s.clusters[number], &s.clusters[(number+1)%len(s.clusters)]
	c.instances = make([][]instance, len(s.services))
	for i := range s.services {
		for range d.between(2, 4) {
			h := pick(d, c.hosts)
			if d.chance(83) {
				h = pick(d, next.hosts)
			}
			c.instances[i] = append(c.instances[i], instance{host: h,
				entity: fmt.Sprintf("%s-%05x", s.services[i].name, d.IntN(1<<20))})
		}
	}
}
