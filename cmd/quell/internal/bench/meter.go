package bench

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/metrics"
	"runtime/pprof"
	"syscall"
	"time"
)

// meter measures a window of this process's life. The two servers are other processes; 0 is none.
type meter struct {
	broker, engine int
	profiles       string // directory and beginning of the names; "" writes none
	profile        *os.File
	first          usage
}

// usage is what has been used so far.
type usage struct {
	at                  time.Time
	cpu, broker, engine time.Duration
	machine             time.Duration // of all processes
	objects, bytes      uint64
}

func (m *meter) read() usage {
	u := usage{at: time.Now()}
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err == nil {
		u.cpu = time.Duration(r.Utime.Nano() + r.Stime.Nano())
	}
	// A server that has ended shows as a window without its time; that it ended shows elsewhere.
	if m.broker > 0 {
		u.broker, _ = processorTime(m.broker)
	}
	if m.engine > 0 {
		u.engine, _ = processorTime(m.engine)
	}
	u.machine = busyTime()
	s := []metrics.Sample{{Name: "/gc/heap/allocs:objects"}, {Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	u.objects, u.bytes = s[0].Value.Uint64(), s[1].Value.Uint64()
	return u
}

// begin begins the window, also once more.
func (m *meter) begin() error {
	if m.profiles != "" && m.profile == nil {
		f, err := os.Create(m.profiles + ".cpu.pprof")
		if err != nil {
			return fmt.Errorf("--profiles: %w", err)
		}
		if err := pprof.StartCPUProfile(f); err != nil {
			return errors.Join(err, f.Close())
		}
		m.profile = f
	}
	m.first = m.read()
	return nil
}

// close writes the profiles, after the window.
func (m *meter) close() error {
	if m.profile == nil {
		return nil
	}
	pprof.StopCPUProfile()
	err := m.profile.Close()
	f, err2 := os.Create(filepath.Clean(m.profiles + ".allocs.pprof"))
	if err2 != nil {
		return errors.Join(err, err2)
	}
	return errors.Join(err, pprof.Lookup("allocs").WriteTo(f, 0), f.Close())
}

// row is the window from begin to last, in which so many events were worked off.
func (m *meter) row(name string, last usage, events int64) Row {
	n := float64(max(events, 1))
	each := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 / n }
	took := last.at.Sub(m.first.at).Seconds()
	r := Row{Name: name, Events: events, Seconds: took, EventsPerSecond: float64(events) / max(took, 1e-9),
		CPU:    each(last.cpu - m.first.cpu),
		Allocs: float64(last.objects-m.first.objects) / n,
		Bytes:  float64(last.bytes-m.first.bytes) / n, ResidentMiB: residentPeak()}
	ours := last.cpu + last.broker + last.engine - m.first.cpu - m.first.broker - m.first.engine
	r.Others = max(0, (last.machine-m.first.machine-ours).Seconds()/max(took, 1e-9))
	if m.broker > 0 {
		v := each(last.broker - m.first.broker)
		r.BrokerCPU = &v
	}
	if m.engine > 0 {
		v := each(last.engine - m.first.engine)
		r.EngineCPU = &v
	}
	return r
}
