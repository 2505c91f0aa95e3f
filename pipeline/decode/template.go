package decode

import (
	"fmt"
	"strings"
)

// part is one piece of a template: plain text, or a reference to a slot or to a capture of a
// matcher, with the text to fall back to.
type part struct {
	text     string // plain, or the fallback
	slot     int    // or -1
	matcher  int    // or -1
	group    int
	fallback bool
}

// parseTemplate cuts a template into parts. resolve gives the slot or capture of a reference.
func parseTemplate(text string, resolve func(string) (part, error)) ([]part, error) {
	var parts []part
	plain := func(s string) {
		if s != "" {
			parts = append(parts, part{text: s, slot: -1, matcher: -1})
		}
	}
	for rest := text; rest != ""; {
		at := strings.Index(rest, "${")
		if at < 0 {
			plain(rest)
			break
		}
		if at > 0 && rest[at-1] == '$' {
			plain(rest[:at])
			plain("{")
			rest = rest[at+2:]
			continue
		}
		plain(rest[:at])
		reference, after, ok := cutReference(rest[at+2:])
		if !ok {
			return nil, fmt.Errorf("%s has no closing brace", quote(rest[at:]))
		}
		name, fallback, has := cutFallback(reference)
		p, err := resolve(name)
		if err != nil {
			return nil, err
		}
		p.text, p.fallback = fallback, has
		parts, rest = append(parts, p), after
	}
	return parts, nil
}

// cutReference cuts s at the brace that closes a reference; quoted names may have braces.
func cutReference(s string) (reference, rest string, ok bool) {
	end := outsideQuotes(s, "}")
	if end < 0 {
		return "", "", false
	}
	return s[:end], s[end+1:], true
}

func cutFallback(s string) (name, fallback string, ok bool) {
	at := outsideQuotes(s, ":-")
	if at < 0 {
		return s, "", false
	}
	return s[:at], s[at+2:], true
}

// outsideQuotes returns where mark first stands in s outside of a quoted name, or -1.
func outsideQuotes(s, mark string) int {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case quoted && s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case !quoted && strings.HasPrefix(s[i:], mark):
			return i
		}
	}
	return -1
}

// build puts a template together. Without text when a reference has none and no fallback.
func (d *Decoder) build(m *mapping, parts []part) (string, *Rejection) {
	if len(parts) == 1 {
		return d.part(m, parts[0])
	}
	d.pieces = d.pieces[:0]
	n := 0
	for _, p := range parts {
		text, rejection := d.part(m, p)
		if rejection != nil || text == "" && !p.fallback {
			return "", rejection
		}
		if n += len(text); n > d.limits.MaxBytes {
			return "", &Rejection{OverLimit, -1, fmt.Sprintf("a template gives more bytes than "+
				"max_bytes %d", d.limits.MaxBytes)}
		}
		d.pieces = append(d.pieces, text)
	}
	b := d.arena.room(n)
	for _, text := range d.pieces {
		b = append(b, text...)
	}
	return d.arena.take(b), nil
}

func (d *Decoder) part(m *mapping, p part) (text string, rejection *Rejection) {
	switch {
	case p.slot >= 0:
		text = d.text(d.slots[p.slot])
	case p.matcher >= 0:
		text, rejection = d.capture(m, p.matcher, p.group)
	default:
		return p.text, nil
	}
	if text == "" {
		text = p.text
	}
	return text, rejection
}
