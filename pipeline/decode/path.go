package decode

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// maxPathIndex bounds the elements of an array that a path can name.
const maxPathIndex = 9999

// place finds or makes the node that a path names, below root.
func place(root *node, path string, maxDepth int) (*node, error) {
	n, rest, depth := root, path, 1
	for first := true; first || rest != ""; first = false {
		if depth++; depth > maxDepth+1 {
			return nil, fmt.Errorf("%s is deeper than max_depth %d", quote(path), maxDepth)
		}
		var err error
		switch {
		case strings.HasPrefix(rest, "["):
			n, rest, err = placeBracket(n, rest)
		case first:
			n, rest, err = placeName(n, rest)
		case strings.HasPrefix(rest, "."):
			n, rest, err = placeName(n, rest[1:])
		default:
			err = fmt.Errorf("write a dot or [ before %s", quote(rest))
		}
		if err != nil {
			return nil, fmt.Errorf("%s is no path: %w", quote(path), err)
		}
	}
	return n, nil
}

// placeName goes into the member that rest begins with.
func placeName(n *node, rest string) (*node, string, error) {
	if strings.HasPrefix(rest, `"`) {
		name, rest, err := unquote(rest)
		return n.member(name), rest, err
	}
	end := strings.IndexAny(rest, `.["]`)
	if end < 0 {
		end = len(rest)
	}
	switch {
	case end == 0:
		return n, rest, fmt.Errorf(`a name is missing before %s; an empty name is written ""`,
			quote(rest))
	case end < len(rest) && (rest[end] == '"' || rest[end] == ']'):
		return n, rest, fmt.Errorf("put %s in quotes as a whole", quote(rest))
	case rest[:end] == "$":
		return n, rest, fmt.Errorf(`leave out the $: a path begins at the object (a member `+
			`called $ is written %s)`, `"$"`)
	}
	return n.member(rest[:end]), rest[end:], nil
}

// placeBracket goes into the element, or the member in quotes, that rest begins with.
func placeBracket(n *node, rest string) (*node, string, error) {
	if strings.HasPrefix(rest, `["`) {
		name, after, err := unquote(rest[1:])
		if err != nil || !strings.HasPrefix(after, "]") {
			return n, rest, fmt.Errorf("%s has no closing bracket", quote(rest))
		}
		return n.member(name), after[1:], nil
	}
	end := strings.IndexByte(rest, ']')
	if end < 0 {
		return n, rest, fmt.Errorf("%s has no closing bracket", quote(rest))
	}
	index, err := strconv.Atoi(rest[1:end])
	if err != nil || index < 0 || index > maxPathIndex {
		return n, rest, fmt.Errorf("%s is no element: write [0] to [%d]", quote(rest[:end+1]),
			maxPathIndex)
	}
	return n.element(index), rest[end+1:], nil
}

// unquote reads the quoted name, with the escapes of JSON, that s begins with.
func unquote(s string) (name, rest string, err error) {
	end := 1
	for ; end < len(s) && s[end] != '"'; end++ {
		if s[end] == '\\' {
			end++
		}
	}
	if end >= len(s) {
		return "", "", fmt.Errorf("%s has no closing quote", quote(s))
	}
	if err := json.Unmarshal([]byte(s[:end+1]), &name); err != nil {
		return "", "", fmt.Errorf("%s is no quoted name: %w", quote(s[:end+1]), err)
	}
	return name, s[end+1:], nil
}
