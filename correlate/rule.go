package correlate

import "encoding/hex"

// RuleHash names a rule set (rules, routes and catalog) by the hash of its canonical source.
type RuleHash [16]byte

// String returns 32 lower-case hexadecimal digits.
func (h RuleHash) String() string { return hex.EncodeToString(h[:]) }

// WindowKind says how a group's window grows.
type WindowKind uint8

// The windows that exist.
const (
	// WindowSession: [first-gap, last+gap), each alert moves last; at most MaxLife from the first
	// alert of the group.
	WindowSession WindowKind = 1
	// WindowFixed: [first, first+Length), never extended.
	WindowFixed WindowKind = 2
)

var windowNames = [...]string{"", "session", "fixed"}

// String returns the window's name.
func (k WindowKind) String() string { return word(windowNames[:], uint8(k)) }

// Window is a rule's window. All lengths are in event time.
type Window struct {
	Kind    WindowKind
	Gap     Duration // session: quiet time that ends the group
	MaxLife Duration // session: from the group's first alert
	Length  Duration // fixed
}

// RuleKind says what a rule looks for. Only group exists so far.
type RuleKind uint8

// RuleGroup makes one incident of each group of alerts.
const RuleGroup RuleKind = 1

// Rule is one compiled rule, immutable. The first rule that matches an alert takes it.
type Rule struct {
	Name    string
	Kind    RuleKind
	GroupBy []string // fields or labels, in the order of the group key
	Window  Window

	GroupWait     Duration // from opening to the first page
	GroupInterval Duration // between pages that tell new or resolved alerts
	Repeat        Duration // between pages that tell nothing new; checked at group_interval
	ResolveAfter  Duration // quiet time after which the incident resolves
	ReopenWindow  Duration // an alert that fires this soon after resolution reopens
	AckTimeout    Duration // an acknowledgement older than this opens the incident again
	PageAt        Severity // below it an incident is kept, not paged
}

// Resolution is what a rule set says about one label set: which rule takes the alert, where its
// pages go and who owns it.
type Resolution struct {
	Rule     *Rule
	Route    string // name of the route, for the page's form
	PageAt   Severity
	Owner    string
	Runbook  string
	Priority string // business impact of the service, such as "P1"; "" when unknown
}

// RuleSet resolves alerts. It is pure: equal labels, severity and status give equal resolutions.
// Resolve always returns a rule: a rule set ends with one that matches everything.
type RuleSet interface {
	Hash() RuleHash
	Resolve(a *Alert) Resolution
}
