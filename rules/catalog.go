package rules

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// catalog finds the entry of a service: exact names before globs, globs in the order written.
type catalog struct {
	entries []Service
	exact   map[string]int
	globs   []glob
}

type glob struct {
	pattern *regexp.Regexp
	entry   int
}

const serviceVariable = "${service}"

var priorities = []string{"P1", "P2", "P3", "P4", "P5"}

func newCatalog(services []Service) (catalog, []Problem) {
	c := catalog{entries: append([]Service{}, services...), exact: make(map[string]int, len(services))}
	var problems []Problem
	seen := make(map[string]int, len(services))
	for i, s := range services {
		path := fmt.Sprintf("services[%d]", i)
		problems = append(problems, checkService(s, path)...)
		if first, ok := seen[s.Name]; ok && s.Name != "" {
			problems = append(problems, Problem{Path: path + ".name", Text: fmt.Sprintf(
				"%q is already services[%d], which takes it; remove one of them", s.Name, first)})
			continue
		}
		seen[s.Name] = i
		if strings.ContainsAny(s.Name, "*?") {
			c.globs = append(c.globs, glob{pattern: globPattern(s.Name), entry: i})
		} else {
			c.exact[s.Name] = i
		}
	}
	return c, problems
}

// globPattern translates * and ?; everything else stands for itself.
func globPattern(s string) *regexp.Regexp {
	p := regexp.QuoteMeta(s)
	p = strings.ReplaceAll(p, `\*`, `.*`)
	p = strings.ReplaceAll(p, `\?`, `.`)
	return regexp.MustCompile(`(?s)^` + p + `$`)
}

func checkService(s Service, path string) []Problem {
	var problems []Problem
	if s.Name == "" {
		problems = append(problems, Problem{Path: path + ".name",
			Text: "a service needs a name; write its exact name or a glob such as pay-*"})
	}
	if s.Priority != "" && !slices.Contains(priorities, s.Priority) {
		problems = append(problems, Problem{Path: path + ".priority", Text: fmt.Sprintf(
			"%q is not a priority; write one of P1 (worst) to P5", s.Priority)})
	}
	if s.Runbook == "" {
		return problems
	}
	u, err := url.Parse(strings.ReplaceAll(s.Runbook, serviceVariable, "service"))
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		problems = append(problems, Problem{Path: path + ".runbook", Text: fmt.Sprintf(
			"%q is not a web address; write https://host/path, in which ${service} may stand for"+
				" the service", s.Runbook)})
	}
	return problems
}

// find returns the entry of service, or nil.
func (c *catalog) find(service string) *Service {
	if i, ok := c.exact[service]; ok {
		return &c.entries[i]
	}
	for _, g := range c.globs {
		if g.pattern.MatchString(service) {
			return &c.entries[g.entry]
		}
	}
	return nil
}

// runbook returns the address for service. The name is escaped: it comes from outside, and must
// neither break the address nor lead to another host.
func (s *Service) runbook(service string) string {
	if !strings.Contains(s.Runbook, serviceVariable) {
		return s.Runbook
	}
	escaped := strings.ReplaceAll(url.QueryEscape(service), "+", "%20")
	return strings.ReplaceAll(s.Runbook, serviceVariable, escaped)
}
