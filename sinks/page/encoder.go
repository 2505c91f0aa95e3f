package page

import (
	"bytes"
	"encoding/json"
	"fmt"

	"quell/correlate"
)

// Form is a form of pages.
type Form string

// The forms.
const (
	Quell     Form = "quell"
	PagerDuty Form = "pagerduty"
)

// Route says how the pages of a route look.
type Route struct {
	Form       Form
	RoutingKey string // of PagerDuty's integration; "" leaves it to whoever posts the page
}

// Options configure an Encoder.
type Options struct {
	Routes  map[string]Route // by name
	Default Route            // of routes without an entry; the zero Route has the form quell
}

// Encoder writes incidents and pages. It never changes and is safe for concurrent use.
type Encoder struct {
	routes    map[string]Route
	byDefault Route
}

// New returns an Encoder, or says which route has no form that exists.
func New(o Options) (*Encoder, error) {
	if o.Default.Form == "" {
		o.Default.Form = Quell
	}
	e := &Encoder{routes: make(map[string]Route, len(o.Routes)), byDefault: o.Default}
	for name, r := range o.Routes {
		if r.Form != Quell && r.Form != PagerDuty {
			return nil, fmt.Errorf("route %q: pages have no form %q; use quell or pagerduty", name,
				r.Form)
		}
		e.routes[name] = r
	}
	if f := o.Default.Form; f != Quell && f != PagerDuty {
		return nil, fmt.Errorf("default route: pages have no form %q; use quell or pagerduty", f)
	}
	return e, nil
}

// AppendPage appends p in the form of its incident's route: JSON in one line.
func (e *Encoder) AppendPage(dst []byte, p *correlate.Page) ([]byte, error) {
	r, ok := e.routes[p.Route]
	if !ok {
		r = e.byDefault
	}
	if r.Form == PagerDuty {
		return appendJSON(dst, pagerDutyEvent(p, r.RoutingKey))
	}
	return appendJSON(dst, quellPage(p))
}

// AppendIncident appends a revision of an incident: JSON in one line.
func (e *Encoder) AppendIncident(dst []byte, in *correlate.Incident) ([]byte, error) {
	return Incident(dst, in)
}

// Incident appends a revision of an incident: JSON in one line.
func Incident(dst []byte, in *correlate.Incident) ([]byte, error) {
	out := complete(*in)
	return appendJSON(dst, &out)
}

// complete replaces nil lists by empty ones: a list is never null in JSON.
func complete(in correlate.Incident) correlate.Incident {
	if in.Group == nil {
		in.Group = []correlate.Label{}
	}
	if in.Services == nil {
		in.Services = []string{}
	}
	return in
}

// appendJSON appends v without a line's end. < > and & stay as they are: nothing here is HTML.
func appendJSON(dst []byte, v any) ([]byte, error) {
	b := bytes.NewBuffer(dst)
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return dst, fmt.Errorf("page: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
