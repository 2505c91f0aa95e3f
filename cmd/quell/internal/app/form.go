package app

import (
	"fmt"

	"quell/cmd/quell/internal/config"
	"quell/rules"
	"quell/sinks/page"
)

// Form returns the forms of incidents and pages by route.
func Form(c *config.Config) (*page.Encoder, error) {
	o := page.Options{Routes: map[string]page.Route{}}
	for _, r := range c.Routes {
		o.Routes[r.Name] = routeForm(&r)
	}
	def := c.Route(rules.DefaultName)
	o.Default = routeForm(&def)
	e, err := page.New(o)
	if err != nil {
		return nil, fmt.Errorf("routes: %w", err)
	}
	return e, nil
}

func routeForm(r *config.Route) page.Route {
	return page.Route{Form: page.Form(r.Format), RoutingKey: r.RoutingKey.Reveal()}
}
