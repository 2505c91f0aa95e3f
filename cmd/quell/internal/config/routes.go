package config

import (
	"fmt"

	"quell/rules"
)

// Route is a route of the rules together with the form of its pages.
type Route struct {
	rules.Route `yaml:",inline"`
	Format      string `yaml:"format"`
	RoutingKey  Secret `yaml:"routing_key"` // of format pagerduty: the integration's key
}

// The forms of pages.
const (
	PageQuell     = "quell"
	PagePagerDuty = "pagerduty"
)

func (r *Route) setDefaults() { r.Format = PageQuell }

func (c *Config) checkRoutes(v *checker) {
	for i, r := range c.Routes {
		path := fmt.Sprintf("routes[%d]", i)
		if v.oneOf(path+".format", r.Format, PageQuell, PagePagerDuty) &&
			r.Format == PageQuell && r.RoutingKey.IsSet() {
			v.wrong(path+".routing_key", "a routing key belongs to the format pagerduty; write"+
				" format: pagerduty or remove it")
		}
	}
}

// Route returns the route of that name. Unknown names have the default route's form: a page in the
// wrong form is better than none.
func (c *Config) Route(name string) Route {
	out := Route{Route: rules.Route{Name: rules.DefaultName}, Format: PageQuell}
	for _, r := range c.Routes {
		if r.Name == name {
			return r
		}
		if r.Name == rules.DefaultName {
			out = r
		}
	}
	return out
}
