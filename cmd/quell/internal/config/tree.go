package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	yaml "go.yaml.in/yaml/v4"
)

// Bounds of a configuration file.
const (
	maxFileBytes = 4 << 20
	maxNodes     = 500_000 // after the expansion of aliases
	maxDepth     = 64
)

// parse reads the one document of data. The node is nil for an empty file. A problem has a position
// and no path.
func parse(data []byte) (*yaml.Node, *Problem) {
	if len(data) > maxFileBytes {
		return nil, &Problem{Line: 1, Column: 1, Text: fmt.Sprintf(
			"the file has %d bytes; at most %d are read: move what is not configuration elsewhere",
			len(data), maxFileBytes)}
	}
	if p := invalidText(data); p != nil {
		return nil, p
	}
	loader, err := yaml.NewLoader(bytes.NewReader(data))
	if err != nil {
		return nil, syntaxProblem(err)
	}
	var first, second yaml.Node
	if err := loader.Load(&first); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, syntaxProblem(err)
	}
	if err := loader.Load(&second); err == nil {
		return nil, &Problem{Line: second.Line, Column: second.Column,
			Text: "a second document begins here; a configuration is one document: remove the ---"}
	} else if !errors.Is(err, io.EOF) {
		return nil, syntaxProblem(err)
	}
	if len(first.Content) == 0 {
		return nil, nil
	}
	return first.Content[0], nil
}

// invalidText finds the first byte that is not UTF-8.
func invalidText(data []byte) *Problem {
	if utf8.Valid(data) {
		return nil
	}
	line, column := 1, 1
	for len(data) > 0 {
		r, n := utf8.DecodeRune(data)
		if r == utf8.RuneError && n == 1 {
			break
		}
		if column++; r == '\n' {
			line, column = line+1, 1
		}
		data = data[n:]
	}
	return &Problem{Line: line, Column: column,
		Text: fmt.Sprintf("the byte 0x%02x is not UTF-8; save the file as UTF-8", data[0])}
}

// syntaxProblem takes position and reason from the library's error.
func syntaxProblem(err error) *Problem {
	p := &Problem{Line: 1, Column: 1, Text: "not valid YAML: " + err.Error()}
	var at *yaml.LoadError
	if errors.As(err, &at) {
		p.Text = "not valid YAML: " + at.Message
		if at.ContextMsg != "" {
			p.Text += " " + at.ContextMsg
		}
		if at.Mark.Line > 0 {
			p.Line, p.Column = at.Mark.Line, at.Mark.Column
		}
	}
	switch {
	case strings.Contains(p.Text, "cannot start any token"):
		p.Text += "; indent with spaces, and put texts that begin with @, ` or % in quotes"
	case strings.Contains(p.Text, "mapping values are not allowed"):
		p.Text += "; put a text that contains a colon and a space in quotes"
	case strings.Contains(p.Text, "flow mapping"), strings.Contains(p.Text, "flow sequence"):
		p.Text += "; put a text that begins with { or [ in quotes"
	}
	return p
}

// expansion copies a tree, putting in place of each alias what it stands for and of each merge key
// the entries that it brings.
type expansion struct {
	nodes   int
	problem *Problem // of the bound that was hit
}

func (x *expansion) copy(n *yaml.Node, depth int) *yaml.Node {
	x.nodes++
	switch {
	case x.problem != nil:
	case x.nodes > maxNodes:
		x.problem = &Problem{Line: n.Line, Column: n.Column, Text: fmt.Sprintf(
			"more than %d values, aliases expanded; write fewer aliases of aliases", maxNodes)}
	case depth > maxDepth:
		x.problem = &Problem{Line: n.Line, Column: n.Column, Text: fmt.Sprintf(
			"nested more than %d deep; an alias may be inside what it stands for", maxDepth)}
	case n.Kind == yaml.AliasNode:
		return x.copy(n.Alias, depth+1)
	case n.Kind == yaml.MappingNode:
		return x.mapping(n, depth)
	default:
		c := *n
		c.Content = nil
		for _, child := range n.Content {
			c.Content = append(c.Content, x.copy(child, depth+1))
		}
		return &c
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Line: n.Line, Column: n.Column}
}

func (x *expansion) mapping(n *yaml.Node, depth int) *yaml.Node {
	c := *n
	c.Content = nil
	own := map[string]bool{}
	var merged []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.ShortTag() == "!!merge" {
			merged = append(merged, x.copy(value, depth+1))
			continue
		}
		own[key.Value] = true
		c.Content = append(c.Content, x.copy(key, depth+1), x.copy(value, depth+1))
	}
	for _, m := range merged {
		x.merge(&c, m, own)
	}
	return &c
}

// merge adds to c the entries of m, a mapping or a list of mappings, whose keys c does not have.
func (x *expansion) merge(c, m *yaml.Node, own map[string]bool) {
	switch m.Kind {
	case yaml.SequenceNode:
		for _, one := range m.Content {
			x.merge(c, one, own)
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(m.Content); i += 2 {
			if key := m.Content[i]; !own[key.Value] {
				own[key.Value] = true
				c.Content = append(c.Content, key, m.Content[i+1])
			}
		}
	default:
		if x.problem == nil {
			x.problem = &Problem{Line: m.Line, Column: m.Column,
				Text: "<< takes a mapping or a list of mappings; write <<: *name"}
		}
	}
}
