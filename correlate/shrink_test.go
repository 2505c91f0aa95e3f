package correlate_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	. "quell/correlate"
)

// scene is a script that has been written down: the records, and what an engine made of them that
// took them one by one and was never interrupted.
type scene struct {
	t       *testing.T
	seed    uint64 // for what the law chooses
	player  *player
	options Options
	records []Record
	engine  *Engine
	fx      *Effects
}

// perform writes a script down.
func perform(t *testing.T, seed uint64, script []string) *scene {
	p := &player{t: t, quick: true}
	for _, line := range script {
		p.do(line)
	}
	return &scene{t: t, seed: seed, player: p, options: p.options, records: p.written,
		engine: p.engine, fx: &p.fx}
}

// law says what a scene does not fulfil, or nothing.
type law struct {
	name   string
	broken func(*scene) string
}

// check performs the script and says what the law finds, a panic included.
func (l *law) check(t *testing.T, seed uint64, script []string) (broken string) {
	defer func() {
		if p := recover(); p != nil {
			broken = fmt.Sprint("panic: ", p)
		}
	}()
	s := perform(t, seed, script)
	if s.player.stopped != nil { // without a rule set that it asks for, it is no story
		return ""
	}
	return l.broken(s)
}

// tries bounds how often shrinking performs a script.
const tries = 3000

// shrink returns a script that still breaks the law and from which no command and no argument can
// be taken away: delta debugging (Zeller), by halves, quarters and so on of the commands, then by
// arguments, until neither helps. The first command stays, it makes the engine.
func shrink(script []string, broken func([]string) bool) []string {
	s := shrinker{script: script, broken: broken, left: tries}
	for size := -1; size != len(strings.Join(s.script, "\n")) && s.left > 0; {
		size = len(strings.Join(s.script, "\n"))
		s.commands()
		s.arguments()
	}
	return s.script
}

type shrinker struct {
	script []string
	broken func([]string) bool
	left   int
}

// try takes over a script that still breaks the law.
func (s *shrinker) try(script []string) bool {
	if s.left--; s.left < 0 || !s.broken(script) {
		return false
	}
	s.script = script
	return true
}

func (s *shrinker) commands() {
	for n := (len(s.script) + 1) / 2; n > 0; n /= 2 {
		for at := 1; at < len(s.script); {
			if !s.try(slices.Delete(slices.Clone(s.script), at, min(at+n, len(s.script)))) {
				at += n
			}
		}
	}
}

func (s *shrinker) arguments() {
	for i := range s.script {
		for at := 1; at < len(strings.Fields(s.script[i])); {
			shorter := slices.Clone(s.script)
			words := strings.Fields(shorter[i])
			shorter[i] = strings.Join(slices.Delete(words, at, at+1), " ")
			if !s.try(shorter) {
				at++
			}
		}
	}
}

// transcript returns the script with what the engine says about it, as testdata has them.
func transcript(t *testing.T, why string, script []string) string {
	return replay(t, "# "+strings.ReplaceAll(why, "\n", "\n# ")+"\n"+strings.Join(script, "\n")+"\n----")
}

// shortest shrinks a script that breaks the law and returns it as a transcript.
func (l *law) shortest(t *testing.T, seed uint64, script []string) (transcribed string, commands int) {
	script = shrink(script, func(s []string) bool { return l.check(t, seed, s) != "" })
	why := l.check(t, seed, script)
	defer func() {
		if p := recover(); p != nil { // the engine's: the commands are all that there is to tell
			transcribed = "# " + why + "\n" + strings.Join(script, "\n")
		}
	}()
	return transcript(t, l.name+": "+why, script), len(script)
}

// hold checks the law over the seeds. A seed that breaks it prints the shortest transcript that
// does.
func (l *law) hold(t *testing.T, g genre, seeds, commands int) {
	t.Helper()
	if testing.Short() || raceEnabled {
		seeds = max(seeds/40, 10)
	}
	for seed := range uint64(seeds) {
		s := script(seed, g, commands)
		if l.check(t, seed, s) == "" {
			continue
		}
		short, _ := l.shortest(t, seed, s)
		t.Fatalf("seed %d (%s): add what follows to testdata, and look at what is wrong in it\n\n%s",
			seed, g, short)
	}
}
