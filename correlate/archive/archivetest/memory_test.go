package archivetest_test

import (
	"testing"

	"quell/correlate/archive/archivetest"
)

func TestMemory(t *testing.T) {
	archivetest.Run(t, func(*testing.T) archivetest.Subject {
		m := archivetest.NewMemory()
		return archivetest.Subject{Archive: m,
			Offsets: func(_ *testing.T, table, topic string, partition int32) []int64 {
				return m.Offsets(table, topic, partition)
			},
			Forget: func(_ *testing.T, table string) { m.Forget(table) }}
	})
}
