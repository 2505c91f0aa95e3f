package config

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	yaml "go.yaml.in/yaml/v4"
)

// variable matches a literal $${, a variable with or without a default, and what looks like the
// beginning of one but is not: an upper-case name behind ${.
var variable = regexp.MustCompile(
	`\$\$\{|\$\{([A-Z_][A-Z0-9_]*)(:-([^}]*))?\}|\$\{[A-Z_][A-Z0-9_]*`)

// environment puts variables into the scalar values of a tree.
type environment struct {
	lookup   func(string) (string, bool)
	problems []Problem // with positions, without paths
}

// substitute works on n and everything below, except below keys named mapping. Aliases are left
// alone: what they stand for is visited where it is written.
func (e *environment) substitute(n *yaml.Node, depth int) {
	if depth > 10*maxDepth { // the expansion that follows will refuse it
		return
	}
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value != "mapping" {
				e.substitute(n.Content[i+1], depth+1)
			}
		}
	case yaml.SequenceNode:
		for _, c := range n.Content {
			e.substitute(c, depth+1)
		}
	case yaml.ScalarNode:
		e.scalar(n)
	}
}

func (e *environment) scalar(n *yaml.Node) {
	if !strings.Contains(n.Value, "${") {
		return
	}
	value := variable.ReplaceAllStringFunc(n.Value, func(found string) string {
		return e.replace(found, n)
	})
	if value == n.Value {
		return
	}
	n.Value = value
	if n.Style == 0 {
		n.Tag = plainTag(value)
	}
}

func (e *environment) replace(found string, n *yaml.Node) string {
	if found == "$${" {
		return "${"
	}
	parts := variable.FindStringSubmatch(found)
	name, hasDefault := parts[1], parts[2] != ""
	if name == "" {
		e.wrong(n, "%q is not a variable; write ${NAME} or ${NAME:-default}, or $${ for a literal ${",
			found)
		return found
	}
	value, ok := e.lookup(name)
	if hasDefault && value == "" {
		return parts[3]
	}
	if !ok {
		e.wrong(n, "the environment variable %s is not set; set it or write ${%s:-default}", name,
			name)
	}
	if strings.ContainsRune(value, 0) {
		e.wrong(n, "the environment variable %s contains a NUL byte; set it to text", name)
	}
	return strings.ToValidUTF8(value, "\uFFFD")
}

func (e *environment) wrong(n *yaml.Node, format string, args ...any) {
	e.problems = append(e.problems, Problem{Line: n.Line, Column: n.Column,
		Severity: SeverityError, Text: fmt.Sprintf(format, args...)})
}

// plainTag is the type that YAML's core schema gives to an unquoted scalar.
func plainTag(value string) string {
	switch value {
	case "", "~", "null":
		return "!!null"
	case "true", "false":
		return "!!bool"
	}
	if _, err := strconv.ParseInt(value, 10, 64); err == nil {
		return "!!int"
	}
	if c := value[0]; c >= '0' && c <= '9' || c == '-' || c == '+' || c == '.' {
		if _, err := strconv.ParseFloat(value, 64); err == nil {
			return "!!float"
		}
	}
	return "!!str"
}
