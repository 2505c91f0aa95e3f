package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// checker collects problems of values that were decoded, by path.
type checker struct {
	file     string
	locate   func(path string) position
	written  func(path string) bool // whether the file has a value there
	override map[string]string      // the flag that set a path
	problems Problems
}

func (v *checker) add(path string, s Severity, text string) {
	p := Problem{File: v.file, Path: path, Severity: s, Text: text}
	if flag := v.override[path]; flag != "" {
		p.File = flag
	} else {
		at := v.locate(path)
		p.Line, p.Column = at.line, at.column
	}
	v.problems = append(v.problems, p)
}

func (v *checker) wrong(path, format string, args ...any) {
	v.add(path, SeverityError, fmt.Sprintf(format, args...))
}

func (v *checker) warn(path, format string, args ...any) {
	v.add(path, SeverityWarning, fmt.Sprintf(format, args...))
}

// oneOf checks that value is one of names.
func (v *checker) oneOf(path, value string, names ...string) bool {
	if slices.Contains(names, value) {
		return true
	}
	v.wrong(path, "%q is not known; write %s", value, strings.Join(names, " or "))
	return false
}

// within checks low <= value <= high.
func within[T cmp.Ordered](v *checker, path string, value, low, high T) bool {
	if value < low || value > high {
		v.wrong(path, "%v is out of bounds; write %v to %v", value, low, high)
		return false
	}
	return true
}
