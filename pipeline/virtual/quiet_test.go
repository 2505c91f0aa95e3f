//go:build synctests

package virtual

import (
	"testing"
	"time"
)

// A run without mishaps, which shows that the checks hold and what a run costs.
func TestUndisturbed(t *testing.T) {
	inBubble(t, *seedFlag, nil, func(w *world) {
		p := w.start("quell")
		w.flow(60, 30*time.Second)
		w.finish()
		t.Logf("%d steps, requests %v", p.wire.steps, p.wire.kinds)
	})
}
