package config

import (
	"encoding"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	yaml "go.yaml.in/yaml/v4"

	"quell/rules"
)

// position is a place in the file, from 1.
type position struct{ line, column int }

// oneOrMany is a list that may be written as a single value. A list is decoded item by item as any
// other, so that each has its position; only the single value is left to the type.
type oneOrMany interface {
	UnmarshalYAML(unmarshal func(any) error) error
}

// decoder fills structs from nodes. It goes on after a problem, and remembers where every value
// stands, so that later checks can name its position.
type decoder struct {
	at       map[string]position // of values by path, such as rules[2].window.gap
	problems Problems
}

func (d *decoder) wrong(n *yaml.Node, path, format string, args ...any) {
	d.problems = append(d.problems, Problem{Line: n.Line, Column: n.Column, Path: path,
		Severity: SeverityError, Text: fmt.Sprintf(format, args...)})
}

// locate returns the position of path, or of the nearest value around it.
func (d *decoder) locate(path string) position {
	for path != "" {
		if p, ok := d.at[path]; ok {
			return p
		}
		path = around(path)
	}
	return position{1, 1}
}

// around returns the path of what holds the value at path.
func around(path string) string { return path[:max(strings.LastIndexAny(path, ".["), 0)] }

// written reports whether the file has a value at path.
func (d *decoder) written(path string) bool {
	_, ok := d.at[path]
	return ok
}

// paths returns the path of the value at each position; of several (an alias repeats positions, and
// a list begins where its first item does) the longest, of these the first in alphabetical order.
func (d *decoder) paths() map[position]string {
	out := make(map[position]string, len(d.at))
	for path, at := range d.at {
		best := out[at]
		if len(path) > len(best) || len(path) == len(best) && path < best {
			out[at] = path
		}
	}
	return out
}

// decode puts n into v, which is settable and holds the default.
func (d *decoder) decode(n *yaml.Node, v reflect.Value, path string) {
	d.at[path] = position{n.Line, n.Column}
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" {
		return
	}
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		d.decode(n, v.Elem(), path)
		return
	}
	if text, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		if n.Kind == yaml.ScalarNode || v.Kind() != reflect.Slice {
			d.text(n, text, path)
			return
		}
	}
	if own, ok := v.Addr().Interface().(oneOrMany); ok && n.Kind == yaml.ScalarNode {
		if err := own.UnmarshalYAML(n.Decode); err != nil {
			d.wrong(n, path, "%s", err)
		}
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.structure(n, v, path)
	case reflect.Slice:
		d.list(n, v, path)
	case reflect.Map:
		d.dictionary(n, v, path)
	default:
		d.scalar(n, v, path)
	}
}

func (d *decoder) text(n *yaml.Node, v encoding.TextUnmarshaler, path string) {
	if !d.isText(n, path) {
		return
	}
	if err := v.UnmarshalText([]byte(n.Value)); err != nil {
		d.wrong(n, path, "%s", err)
	}
}

// isText reports whether n is a scalar whose characters can be taken as they are.
func (d *decoder) isText(n *yaml.Node, path string) bool {
	if n.Kind != yaml.ScalarNode {
		d.wrong(n, path, "%s is found where a single value belongs; write one value", kindName(n))
		return false
	}
	switch n.ShortTag() {
	case "!!str", "!!int", "!!float", "!!bool", "!!timestamp":
		return true
	}
	d.wrong(n, path, "the YAML tag %s has no meaning here; remove it", n.ShortTag())
	return false
}

func (d *decoder) scalar(n *yaml.Node, v reflect.Value, path string) {
	if !d.isText(n, path) {
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(n.Value)
	case reflect.Bool:
		if n.ShortTag() != "!!bool" {
			d.wrong(n, path, "%q is neither true nor false; write one of them without quotes", n.Value)
			return
		}
		v.SetBool(strings.EqualFold(n.Value, "true"))
	case reflect.Int, reflect.Int16, reflect.Int32, reflect.Int64:
		i, err := strconv.ParseInt(strings.ReplaceAll(n.Value, "_", ""), 10, 64)
		if err != nil || n.ShortTag() == "!!str" {
			d.wrong(n, path, "%q is not a whole number; write one such as 4", n.Value)
			return
		}
		if v.OverflowInt(i) {
			d.wrong(n, path, "%d is too large; write a smaller number", i)
			return
		}
		v.SetInt(i)
	default:
		panic(fmt.Sprintf("config: %s has the type %s, which the decoder does not know", path, v.Type()))
	}
}

func (d *decoder) list(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.SequenceNode {
		if _, ok := v.Addr().Interface().(*rules.Match); ok && n.Kind == yaml.MappingNode {
			d.wrong(n, path, `without quotes { begins a YAML mapping; put the matchers in single`+
				` quotes, as in '{service="pay"}'`)
			return
		}
		d.wrong(n, path, "%s is found where a list belongs; write [a, b] or lines that begin with -",
			kindName(n))
		return
	}
	out := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, c := range n.Content {
		d.item(c, out.Index(i), fmt.Sprintf("%s[%d]", path, i))
	}
	v.Set(out)
}

// item decodes an element of a list, which has defaults of its own.
func (d *decoder) item(n *yaml.Node, v reflect.Value, path string) {
	if v.CanAddr() {
		if own, ok := v.Addr().Interface().(interface{ setDefaults() }); ok {
			own.setDefaults()
		}
	}
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" {
		d.at[path] = position{n.Line, n.Column}
		d.wrong(n, path, "an empty item; write a value or remove the -")
		return
	}
	d.decode(n, v, path)
}

func (d *decoder) dictionary(n *yaml.Node, v reflect.Value, path string) {
	out := reflect.MakeMap(v.Type())
	for key, value := range d.entries(n, path) {
		item := reflect.New(v.Type().Elem()).Elem()
		d.item(value, item, path+"."+key.Value)
		out.SetMapIndex(reflect.ValueOf(key.Value).Convert(v.Type().Key()), item)
	}
	v.Set(out)
}

func (d *decoder) structure(n *yaml.Node, v reflect.Value, path string) {
	fields := map[string]reflect.Value{}
	var names []string
	collect(v, fields, &names)
	for key, value := range d.entries(n, path) {
		f, ok := fields[key.Value]
		if !ok {
			d.wrong(key, join(path, key.Value), "%s", unknownKey(key.Value, names))
			continue
		}
		d.decode(value, f, join(path, key.Value))
	}
}

// entries yields the keys and values of n, which must be a mapping without repeated keys.
func (d *decoder) entries(n *yaml.Node, path string) func(func(key, value *yaml.Node) bool) {
	return func(yield func(key, value *yaml.Node) bool) {
		if n.Kind != yaml.MappingNode {
			d.wrong(n, path, "%s is found where keys with values belong; write key: value",
				kindName(n))
			return
		}
		first := map[string]int{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			if key.Kind != yaml.ScalarNode {
				d.wrong(key, path, "%s is found where a key belongs; write a word", kindName(key))
				continue
			}
			if line, ok := first[key.Value]; ok {
				d.wrong(key, join(path, key.Value), "the key %q is already in line %d; remove one of"+
					" them", key.Value, line)
				continue
			}
			first[key.Value] = key.Line
			if !yield(key, n.Content[i+1]) {
				return
			}
		}
	}
}

// collect lists the fields of v by their YAML names, those of inlined structs among them.
func collect(v reflect.Value, fields map[string]reflect.Value, names *[]string) {
	for i := range v.NumField() {
		tag, options, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
		switch {
		case options == "inline":
			collect(v.Field(i), fields, names)
		case tag != "" && tag != "-":
			fields[tag] = v.Field(i)
			*names = append(*names, tag)
		}
	}
}

func unknownKey(key string, names []string) string {
	if near := rules.Nearest(key, names); near != "" {
		return fmt.Sprintf("unknown key %q; did you mean %q?", key, near)
	}
	return fmt.Sprintf("unknown key %q; write one of: %s", key, strings.Join(names, ", "))
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func kindName(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	return fmt.Sprintf("the value %q", n.Value)
}
