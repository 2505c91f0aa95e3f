package page

import "quell/correlate"

// quellForm is the JSON of a page. What a person reads comes first.
type quellForm struct {
	Title  string               `json:"title"`
	Text   string               `json:"text"`
	Reason correlate.PageReason `json:"reason"`
	correlate.Incident
	Top []correlate.PageAlert `json:"top_alerts"`
}

func quellPage(p *correlate.Page) *quellForm {
	top := p.Top
	if top == nil {
		top = []correlate.PageAlert{}
	}
	return &quellForm{Title: title(p), Text: text(p), Reason: p.Reason,
		Incident: complete(p.Incident), Top: top}
}
