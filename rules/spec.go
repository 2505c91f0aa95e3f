package rules

import (
	"encoding/json"

	"quell/correlate"
)

// Spec is the source of a Set: what the keys rules, routes and services of a configuration hold.
type Spec struct {
	Rules    []Rule    `yaml:"rules" json:"rules"`
	Routes   []Route   `yaml:"routes" json:"routes"`
	Services []Service `yaml:"services" json:"services"`
}

// Match is a list of matcher sets in Prometheus syntax that must all hold; empty matches every
// alert. In YAML it is one string or a list of strings.
type Match []string

// UnmarshalText reads the form of one string.
func (m *Match) UnmarshalText(b []byte) error {
	*m = Match{string(b)}
	return nil
}

// UnmarshalJSON reads both forms.
func (m *Match) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*m = Match{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(m))
}

// Rule is the source of one rule. Pointers are nil where nothing was written and the default
// holds.
type Rule struct {
	Name    string    `yaml:"name" json:"name"`
	Kind    string    `yaml:"kind" json:"kind"` // "" is group
	Match   Match     `yaml:"match" json:"match"`
	GroupBy *[]string `yaml:"group_by" json:"group_by"` // nil is [service], empty one per scope
	Window  Window    `yaml:"window" json:"window"`

	GroupWait     *Duration           `yaml:"group_wait" json:"group_wait"`
	GroupInterval *Duration           `yaml:"group_interval" json:"group_interval"`
	Repeat        *Duration           `yaml:"repeat_interval" json:"repeat_interval"`
	PageAt        *correlate.Severity `yaml:"page_at" json:"page_at"`
	ResolveAfter  *Duration           `yaml:"resolve_after" json:"resolve_after"`
	ReopenWindow  *Duration           `yaml:"reopen_window" json:"reopen_window"`
	AckTimeout    *Duration           `yaml:"acknowledge_timeout" json:"acknowledge_timeout"`
}

// Window is the source of a rule's window. Gap and MaxLife belong to kind session, Length to kind
// fixed.
type Window struct {
	Kind    string    `yaml:"kind" json:"kind"` // "" is session
	Gap     *Duration `yaml:"gap" json:"gap,omitempty"`
	MaxLife *Duration `yaml:"max_life" json:"max_life,omitempty"`
	Length  *Duration `yaml:"length" json:"length,omitempty"`
}

// Route is the source of one route: which alerts it takes and from which severity on they page.
type Route struct {
	Name   string              `yaml:"name" json:"name"`
	Match  Match               `yaml:"match" json:"match"`
	PageAt *correlate.Severity `yaml:"page_at" json:"page_at"` // nil: the rule's
}

// Service is an entry of the catalog. Name is exact, or a glob in which * stands for any run of
// characters and ? for one.
type Service struct {
	Name        string `yaml:"name" json:"name"`
	Owner       string `yaml:"owner" json:"owner"`
	Runbook     string `yaml:"runbook" json:"runbook"` // URL; ${service} is the alert's service
	Priority    string `yaml:"priority" json:"priority"`
	Description string `yaml:"description" json:"description"`
}

// The defaults of a rule. ResolveAfter has none of its own: it is the gap of a session and the
// length of a fixed window.
const (
	DefaultName          = "default" // of the rule and the route that a set ends with
	DefaultGap           = 10 * Minute
	DefaultMaxLife       = 24 * Hour
	DefaultLength        = 15 * Minute
	DefaultGroupWait     = 30 * Second
	DefaultGroupInterval = 5 * Minute
	DefaultRepeat        = 4 * Hour
	DefaultReopenWindow  = 5 * Minute
	DefaultAckTimeout    = 30 * Minute
	DefaultPageAt        = correlate.Error
)

// Problem is one thing that is wrong with a Spec. Path names the place as in "rules[2].window.gap".
type Problem struct {
	Path    string
	Text    string // what is wrong; what to write instead
	Warning bool   // the set works, but probably not as meant
}

// Error returns path and text.
func (p Problem) Error() string { return p.Path + ": " + p.Text }

// Vocabulary says which names rules may read, besides severity and status.
type Vocabulary struct {
	Fields []string // of scope, service, entity and check those that make up the identity
	Labels []string // labels that are part of the identity
	PassOn []string // labels whose changes intake passes on at once
}
