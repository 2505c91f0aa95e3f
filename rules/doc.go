// Package rules is quell's rule language: it compiles rules, routes and the catalog of services
// into an immutable [Set] that says of any alert which rule takes it, where its pages go and who
// owns it.
//
// # Input
//
// [Compile] takes plain structs ([Spec], with yaml and json tags) and a [Vocabulary], the names
// that alerts reliably carry. It does no I/O and reads no clock. All that is wrong is reported at
// once, as [Problem] values whose Path ("rules[2].window.gap") lets the caller point at the line
// that wrote it.
//
// # Rules
//
// Rules are tried in order and the first that matches an alert takes it. A set always ends with
// the rule "default", which matches everything: group_by [service], session window. Declaring a
// last rule of that name changes its settings. Matchers are written as in Prometheus
// ({service=~"pay.*", env="prod"}; regular expressions are anchored; an absent label is "") and
// several of them must all hold.
//
// A rule may only read what the identity of an alert is made of, a pass_on label, or severity and
// status. Intake collapses all events of one identity into one alert: a rule that read anything
// else would see the value of whichever event came first and never that of its duplicates.
// Severity and status are safe, because every change of them is passed on at once. The source is
// refused above all: two replicas of one monitoring system say the same thing.
//
// # Routes and services
//
// Routes work as rules do, end with the implicit route "default", and override the rule's page_at.
// Services are looked up by the alert's service: exact names first, then globs in order.
//
// # Guarantees
//
// A Set never changes, is safe for concurrent use, and [Set.Resolve] is a pure function of scope,
// service, entity, check, labels, severity and status. [Set.Hash] is the hash of [Set.Canonical], a
// canonical form in which every default is written out: formatting, comments, the order of
// matchers and settings that repeat a default do not change it. [Parse] turns that form back
// into an equal set, so a set can be kept and handed on by its bytes.
//
// Which form a route's pages have, and the secrets that belong to it, are not decisions about
// alerts and not part of this package.
package rules
