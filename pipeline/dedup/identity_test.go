package dedup

import (
	"strings"
	"testing"

	"quell/correlate"
)

func identity(t testing.TB, c IdentityConfig) *Identity {
	t.Helper()
	id, err := NewIdentity(c)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

var golden = correlate.Event{
	ID: "7", Time: 5, Scope: "default", Source: "nagios", Service: "checkout", Entity: "web-1",
	Check: "latency", Severity: correlate.Critical, Status: correlate.Firing, Summary: "slow",
	Labels: []correlate.Label{{Name: "region", Value: "eu"}, {Name: "zone", Value: "b"}},
}

// The fingerprints below may never change: the engine's state, checkpoints and every archived row
// are keyed by them.
func TestFingerprintsArePinned(t *testing.T) {
	key := [16]byte([]byte("0123456789abcdef"))
	explicit := golden
	explicit.DedupKey = "checkout/latency"
	for _, c := range []struct {
		name   string
		config IdentityConfig
		event  correlate.Event
		want   string
		index  uint64
	}{
		{"all fields", IdentityConfig{Key: key}, golden,
			"edb52825e41a3d72a103383fdd5636c3", 0x8a2ba5df9d81906a},
		{"default key", IdentityConfig{}, golden,
			"3e2f64c9195b5e205d391c5db91c91f1", 0x8a2ba5df9d81906a},
		{"two fields", IdentityConfig{Key: key, Fields: []string{"check", "service"}}, golden,
			"493328408bbce7294a307891d2de3b1b", 0x2126fdd9b727733a},
		{"labels", IdentityConfig{Key: key, Labels: []string{"zone", "region"}}, golden,
			"f5ac0677240cd328907719943d0bde96", 0xfcdc6440f119a631},
		{"absent label is left out", IdentityConfig{Key: key, Labels: []string{"rack"}}, golden,
			"edb52825e41a3d72a103383fdd5636c3", 0x8a2ba5df9d81906a},
		{"no fields", IdentityConfig{Key: key, Fields: []string{}}, golden,
			"36393d29df68ad4173dd7a0bd69a7c81", 0xf2468c322e25e063},
		{"explicit", IdentityConfig{Key: key, Labels: []string{"zone"}}, explicit,
			"c436dd696d68d6e937283f841d5a7eef", 0x936be0fb4d17ecd2},
		{"empty event", IdentityConfig{Key: key}, correlate.Event{},
			"cf31d591e11bc7f423159b1df26c5a34", 0x59f4df17e2373528},
	} {
		t.Run(c.name, func(t *testing.T) {
			fp, index := identity(t, c.config).Fingerprint(&c.event)
			if fp.String() != c.want || index != c.index {
				t.Errorf("fingerprint %s, index %#x; pinned are %s, %#x", fp, index, c.want, c.index)
			}
			var many [3]correlate.Fingerprint
			identity(t, c.config).Fingerprints([]correlate.Event{golden, c.event, c.event}, many[:])
			if many[1] != fp || many[2] != fp {
				t.Errorf("fingerprints %s, %s; alone it is %s", many[1], many[2], fp)
			}
		})
	}
}

func TestIdentityBytes(t *testing.T) {
	id := identity(t, IdentityConfig{Labels: []string{"zone"}})
	want := "\x02\x07default\x03\x08checkout\x04\x05web-1\x05\x07latency\x06\x04zone\x01b"
	if got := string(id.appendIdentity(nil, &golden)); got != want {
		t.Errorf("composed identity %q, want %q", got, want)
	}
	explicit := golden
	explicit.DedupKey = "k"
	if got := string(id.appendIdentity(nil, &explicit)); got != "\x01\x07default\x01k" {
		t.Errorf("explicit identity %q", got)
	}
}

// What must and what must not tell two events apart.
func TestIdentityTellsApart(t *testing.T) {
	id := identity(t, IdentityConfig{Labels: []string{"zone"}})
	base, baseIndex := id.Fingerprint(&golden)
	for _, c := range []struct {
		name string
		edit func(*correlate.Event)
		same bool
	}{
		{"source", func(e *correlate.Event) { e.Source = "zabbix" }, true},
		{"id", func(e *correlate.Event) { e.ID = "8" }, true},
		{"severity and status", func(e *correlate.Event) { e.Severity, e.Status = 1, 2 }, true},
		{"another label", func(e *correlate.Event) {
			e.Labels = []correlate.Label{{Name: "a", Value: "x"}, {Name: "zone", Value: "b"}}
		}, true},
		{"scope", func(e *correlate.Event) { e.Scope = "prod" }, false},
		{"service", func(e *correlate.Event) { e.Service = "cart" }, false},
		{"identity label", func(e *correlate.Event) {
			e.Labels = []correlate.Label{{Name: "zone", Value: "c"}}
		}, false},
		{"bytes moved between fields", func(e *correlate.Event) {
			e.Service, e.Entity = "checkou", "tweb-1"
		}, false},
		{"value moved to another field", func(e *correlate.Event) {
			e.Service, e.Entity = "", "checkout"
		}, false},
		{"explicit key", func(e *correlate.Event) { e.DedupKey = "x" }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := golden
			c.edit(&e)
			fp, index := id.Fingerprint(&e)
			if (fp == base) != c.same || (index == baseIndex) != c.same {
				t.Errorf("same fingerprint %v, same index %v, want %v", fp == base, index == baseIndex,
					c.same)
			}
		})
	}
}

// An explicit key that spells out a composed identity is another identity, also in its scope.
func TestExplicitKeyCannotForgeComposedIdentity(t *testing.T) {
	id := identity(t, IdentityConfig{})
	composed, _ := id.Fingerprint(&golden)
	b := id.appendIdentity(nil, &golden)
	for i := range b {
		forged := correlate.Event{Scope: "default", DedupKey: string(b[i:])}
		if fp, _ := id.Fingerprint(&forged); fp == composed {
			t.Fatalf("dedup_key %q has the fingerprint of a composed identity", b[i:])
		}
	}
	a, _ := id.Fingerprint(&correlate.Event{Scope: "a", DedupKey: "k"})
	z, _ := id.Fingerprint(&correlate.Event{Scope: "z", DedupKey: "k"})
	if a == z {
		t.Fatal("one dedup_key collapses two scopes")
	}
}

func TestIdentityRefuses(t *testing.T) {
	for name, c := range map[string]IdentityConfig{
		"unknown field": {Fields: []string{"service", "host"}},
		"empty label":   {Labels: []string{""}},
	} {
		if _, err := NewIdentity(c); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

func TestAlertsPartitionIsPinned(t *testing.T) {
	for _, c := range []struct {
		scope      string
		partitions int
		want       int32
	}{
		{"default", 0, 0}, {"default", 1, 0}, {"default", 8, 6}, {"prod", 8, 0}, {"", 8, 1},
		{"prod", 7, 6}, {"tenant-42", 64, 0},
	} {
		if got := AlertsPartition(c.scope, c.partitions); got != c.want {
			t.Errorf("scope %q of %d partitions goes to %d, pinned is %d", c.scope, c.partitions, got,
				c.want)
		}
	}
}

func TestParseKey(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"hexadecimal", "000102030405060708090a0b0c0d0e0f", "000102030405060708090a0b0c0d0e0f"},
		{"upper case", "000102030405060708090A0B0C0D0E0F", "000102030405060708090a0b0c0d0e0f"},
		{"secret of 16 bytes", "correct horse 16", "bd1f0a43fe8095a0e5016adffb71d860"},
		{"32 bytes that are not hexadecimal", strings.Repeat("z", 32),
			"afd1d56afeb9efd3d3f1a5a8bcf2d2b3"},
		{"too short", "short", ""},
		{"all zeros", strings.Repeat("0", 32), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			key, err := ParseKey(c.in)
			if (err != nil) != (c.want == "") {
				t.Fatalf("error %v", err)
			}
			if got := correlate.Fingerprint(key).String(); err == nil && got != c.want {
				t.Errorf("key %s, want %s", got, c.want)
			}
		})
	}
}

func TestFingerprintAllocatesNothing(t *testing.T) {
	id, e := identity(t, IdentityConfig{Labels: []string{"zone"}}), golden
	if n := testing.AllocsPerRun(100, func() { id.Fingerprint(&e) }); n != 0 {
		t.Errorf("%v allocations an event", n)
	}
	e.DedupKey = strings.Repeat("x", 1<<20)
	if id.Fingerprint(&e); id.scratch != nil {
		t.Errorf("an event of 1 MB left %d bytes of scratch behind", cap(id.scratch))
	}
}

func BenchmarkFingerprint(b *testing.B) {
	id, e := identity(b, IdentityConfig{}), golden
	b.ReportAllocs()
	for b.Loop() {
		id.Fingerprint(&e)
	}
}
