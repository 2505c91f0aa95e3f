package decode

import (
	"fmt"
	"regexp"
	"regexp/syntax"

	"github.com/cespare/xxhash/v2"
)

const (
	maxPattern      = 2048 // characters of a regular expression
	maxInstructions = 4096 // of its program; with MaxMatch they bound the time of a match
	memoEntries     = 512  // a power of two
	memoText        = 256  // longer texts are matched each time
)

// matcher is a regular expression over a slot, shared by all values that have the same one.
type matcher struct {
	slot int
	re   *regexp.Regexp
}

// matched is what became of a matcher: of the payload at hand, and of texts seen before.
//
// The memo is the reason why a storm of equal texts costs no matching and no memory: regexp
// returns its result in new memory each time. An entry is found by a hash and taken only if its
// text is equal, so forgetting one changes no result.
type matched struct {
	done bool
	text string
	at   []int // as of regexp's FindStringSubmatchIndex; nil without a match
	memo []memo
}

type memo struct {
	text []byte
	at   []int
}

// compilePattern compiles a regular expression and bounds what it may cost.
func compilePattern(pattern string) (*regexp.Regexp, error) {
	if len(pattern) > maxPattern {
		return nil, fmt.Errorf("a pattern of %d bytes is longer than %d", len(pattern), maxPattern)
	}
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("%s is no RE2 pattern: %w", quote(pattern), err)
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return nil, fmt.Errorf("%s does not compile: %w", quote(pattern), err)
	}
	if n := len(program.Inst); n > maxInstructions {
		return nil, fmt.Errorf("%s compiles to %d instructions, more than %d: write smaller "+
			"repetitions", quote(pattern), n, maxInstructions)
	}
	return regexp.Compile(pattern)
}

// capture returns the text of a group of a matcher in the payload at hand.
func (d *Decoder) capture(m *mapping, index, group int) (string, *Rejection) {
	x := &d.matches[index]
	if !x.done {
		v := d.slots[m.matchers[index].slot]
		x.done, x.at, x.text = true, nil, d.text(v)
		if len(x.text) > d.limits.MaxMatch {
			return "", &Rejection{OverLimit, int(v.off), fmt.Sprintf("the text for %s has %d "+
				"bytes, more than max_match %d", quote(m.matchers[index].re.String()), len(x.text),
				d.limits.MaxMatch)}
		}
		if x.text != "" {
			x.match(m.matchers[index].re)
		}
	}
	if x.at == nil || x.at[2*group] < 0 {
		return "", nil
	}
	return x.text[x.at[2*group]:x.at[2*group+1]], nil
}

// match fills x.at for x.text.
func (x *matched) match(re *regexp.Regexp) {
	if len(x.text) > memoText {
		x.at = re.FindStringSubmatchIndex(x.text)
		return
	}
	if x.memo == nil {
		x.memo = make([]memo, memoEntries)
	}
	e := &x.memo[xxhash.Sum64String(x.text)%memoEntries]
	if e.text == nil || string(e.text) != x.text {
		e.text = append(e.text[:0], x.text...)
		e.at = re.FindStringSubmatchIndex(x.text)
	}
	x.at = e.at
}
