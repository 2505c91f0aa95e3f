package config

import (
	"reflect"
	"regexp"
	"strings"
	"testing"

	yaml "go.yaml.in/yaml/v4"

	"quell/rules"
)

// noEnvironment is an environment without variables.
func noEnvironment(string) (string, bool) { return "", false }

// TestSampleIsTheDefaults: what the sample writes is what holds without it.
func TestSampleIsTheDefaults(t *testing.T) {
	got, problems := Check("sample.yaml", Sample(), Overrides{Getenv: noEnvironment})
	if len(problems) > 0 {
		t.Fatalf("problems: %v", problems)
	}
	want := Default()
	if got.RuleSet().Hash() != want.RuleSet().Hash() {
		t.Errorf("rules\n%s\nwant\n%s", got.RuleSet().Canonical(), want.RuleSet().Canonical())
	}
	if got.IntakeEpoch() != Default().IntakeEpoch() {
		t.Error("the sample has another intake epoch than the defaults")
	}
	if route := got.Route("default"); route.Format != PageQuell {
		t.Errorf("the default route has the format %q", route.Format)
	}
	for _, c := range []*Config{got, want} { // compared above
		c.Rules, c.Routes, c.compiled = nil, nil, compiled{}
		c.Dedup.Labels, c.Dedup.PassOn = nil, nil
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("sample\n%+v\nwant\n%+v", got, want)
	}
}

var example = regexp.MustCompile(`(?m)^#(  +|[^ \n])`)

// uncommented returns the sample with its examples in force.
func uncommented() []byte { return example.ReplaceAll(Sample(), []byte("$1")) }

// TestExamplesOfTheSample: the examples are right too, and their values arrive.
func TestExamplesOfTheSample(t *testing.T) {
	c, problems := Check("sample.yaml", uncommented(), Overrides{Getenv: noEnvironment})
	if len(problems) > 0 {
		t.Fatalf("problems: %v", problems)
	}
	if len(c.Topics.Raw) != 2 || c.Formats()[1] == nil || c.Drops().Len() != 1 ||
		c.Route("payments").RoutingKey.Reveal() != "none" || len(c.RuleSet().Rules()) != 2 {
		t.Errorf("the examples were not read: %+v", c)
	}
}

// TestSampleHasEveryKey walks the structs and looks every key up in the sample.
func TestSampleHasEveryKey(t *testing.T) {
	var root yaml.Node
	if err := yaml.Load(uncommented(), &root); err != nil {
		t.Fatal(err)
	}
	walkKeys(t, reflect.TypeFor[Config](), []*yaml.Node{root.Content[0]}, "")
}

// walkKeys demands every key of typ in one of nodes, which all stand at path.
func walkKeys(t *testing.T, typ reflect.Type, nodes []*yaml.Node, path string) {
	switch typ.Kind() {
	case reflect.Pointer:
		walkKeys(t, typ.Elem(), nodes, path)
	case reflect.Slice, reflect.Map:
		var items []*yaml.Node
		for _, n := range nodes {
			for i, c := range n.Content {
				if n.Kind == yaml.SequenceNode || i%2 == 1 {
					items = append(items, c)
				}
			}
		}
		// The specs of a mapping's labels are those of its fields.
		if elem := typ.Elem(); elem.Kind() == reflect.Struct && !strings.HasSuffix(path, "g.labels") {
			walkKeys(t, elem, items, path+"[]")
		}
	case reflect.Struct:
		for i := range typ.NumField() {
			tag, options, _ := strings.Cut(typ.Field(i).Tag.Get("yaml"), ",")
			if options == "inline" {
				walkKeys(t, typ.Field(i).Type, nodes, path)
			}
			if tag == "" || tag == "-" {
				continue
			}
			below := valuesOf(nodes, tag)
			if len(below) == 0 {
				t.Errorf("the sample does not show %s", join(path, tag))
			}
			walkKeys(t, typ.Field(i).Type, below, join(path, tag))
		}
	}
}

func valuesOf(nodes []*yaml.Node, key string) []*yaml.Node {
	var out []*yaml.Node
	for _, n := range nodes {
		for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == key {
				out = append(out, n.Content[i+1])
			}
		}
	}
	return out
}

// TestDefaultsOfRules pins what the sample says about the implicit rule.
func TestDefaultsOfRules(t *testing.T) {
	r := Default().RuleSet().Rules()
	if len(r) != 1 || r[0].Name != rules.DefaultName {
		t.Errorf("rules %v", r)
	}
}
