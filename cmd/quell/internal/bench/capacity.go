package bench

import (
	"errors"
	"math"
)

// Model says what a load needs, from measurements. Processor time is linear in events and bytes, with
// a part that does not depend on the load (ticks, transactions, merges of small parts):
//
//	cores = fixed + events/s * (event + byte * size)
//
// event and byte come from two whole runs with events of different sizes, fixed from what the first one
// used while it was offered a steady load. Memory is linear in alerts that are known, disk in events
// and bytes. The storm's mix is part of all of it: one event in ten is a new alert.
type Model struct {
	Quell, Broker, Engine Line
	Intake                Line     // of it, for the number of partitions
	Disk                  [2]Point // bytes an event in ClickHouse, of events of two sizes
	MemoryMiB             float64
	MemoryPerAlert        float64 // bytes
}

// Line is a linear cost: fixed, and for every event and its bytes.
type Line struct {
	Fixed float64 // cores
	Event float64 // microseconds an event
	Byte  float64 // likewise, a byte of the event
}

// Point is a cost of events of one size.
type Point struct{ Size, Cost float64 }

// at returns the cores that so many events a second of that size take.
func (l Line) at(rate, size float64) float64 { return l.Fixed + rate*(l.Event+l.Byte*size)/1e6 }

// through returns the line without a fixed part through two costs of events of two sizes. Noise that
// would make a cost negative is cut off.
func through(size1, cost1, size2, cost2 float64) Line {
	slope := max(0, (cost2-cost1)/(size2-size1))
	return Line{Event: max(0, cost1-slope*size1), Byte: slope}
}

// NewModel makes the model of three reports: storm, huge (events of another size) and distinct (another
// number of alerts). The events of huge are the larger ones.
func NewModel(storm, huge, distinct *Report) (*Model, error) {
	if storm.EventBytes == huge.EventBytes || storm.Fingerprints == distinct.Fingerprints {
		return nil, errors.New("the model needs events of two sizes and two numbers of alerts")
	}
	m := new(Model)
	line := func(of func(*Row) float64, live float64) Line {
		cost := of(storm.Row(rowWhole))
		l := through(storm.EventBytes, cost, huge.EventBytes, of(huge.Row(rowWhole)))
		l.Fixed = max(0, live-storm.Live.Achieved*cost/1e6)
		return l
	}
	m.Quell = line(func(r *Row) float64 { return r.CPU }, storm.Live.Cores)
	m.Broker = line(func(r *Row) float64 { return value(r.BrokerCPU) }, value(storm.Live.Broker))
	m.Engine = line(func(r *Row) float64 { return value(r.EngineCPU) }, value(storm.Live.Engine))
	m.Intake = through(storm.EventBytes, storm.Row(rowIntake).CPU, huge.EventBytes, huge.Row(rowIntake).CPU)
	m.Disk = [2]Point{{storm.EventBytes, storm.Disk.Archive}, {huge.EventBytes, huge.Disk.Archive}}
	more := float64(distinct.Fingerprints - storm.Fingerprints)
	m.MemoryPerAlert = max(0, (distinct.ResidentMiB-storm.ResidentMiB)*(1<<20)/more)
	m.MemoryMiB = max(0, storm.ResidentMiB-float64(storm.Fingerprints)*m.MemoryPerAlert/(1<<20))
	return m, nil
}

// disk returns the bytes that an event of that size takes in ClickHouse: on the line through what was
// measured, and in proportion to its size below the smaller of the two. What repeats shrinks to next to
// nothing, so a line that began at no bytes would say three times too much of small events.
func (m *Model) disk(size float64) float64 {
	small, large := m.Disk[0], m.Disk[1]
	if size <= small.Size {
		return small.Cost * size / small.Size
	}
	return small.Cost + (large.Cost-small.Cost)*(size-small.Size)/(large.Size-small.Size)
}

func value(v *float64) float64 {
	if v == nil {
		return 0
	}
	return *v
}

// Need is what a load needs.
type Need struct {
	Quell, Broker, Engine float64 // cores
	MemoryMiB             float64 // of quell, all roles in one process
	Partitions            int     // of the raw topic, at least
	DiskPerDay            float64 // bytes in ClickHouse
}

// partitionLoad is how busy the worker of one raw partition may be on average: a storm comes on top.
const partitionLoad = 0.25

// Need returns what so many events a second of that size need, with so many alerts known.
func (m *Model) Need(rate, size, alerts float64) Need {
	const day = 86_400
	return Need{Quell: m.Quell.at(rate, size), Broker: m.Broker.at(rate, size), Engine: m.Engine.at(rate, size),
		MemoryMiB:  m.MemoryMiB + alerts*m.MemoryPerAlert/(1<<20),
		Partitions: max(1, int(math.Ceil(m.Intake.at(rate, size)/partitionLoad))),
		DiskPerDay: day * rate * m.disk(size)}
}
