package correlate

// What is about the size of an effect without its strings: as a row, which is what a block of rows
// has to hold, and a little more.
const (
	revisionSize = 384
	pageSize     = 384
	topSize      = 320 // as JSON
	disposedSize = 192
	answeredSize = 256
)

// revision appends a revision of an incident.
func (e *Effects) revision(in *Incident) {
	e.size += revisionSize + in.size()
	e.Incidents = append(e.Incidents, *in)
}

// page appends a page.
func (e *Effects) page(p Page) {
	e.size += pageSize + p.Incident.size()
	for i := range p.Top {
		a := &p.Top[i]
		e.size += topSize + len(a.Service) + len(a.Entity) + len(a.Check) + len(a.Summary) +
			len(a.URL) + len(a.Value)
	}
	e.Pages = append(e.Pages, p)
}

// disposed appends what became of an alert record.
func (e *Effects) disposed(d *Disposed) {
	a := d.Alert
	e.size += disposedSize + len(a.Scope) + len(a.Source) + len(a.Service) + len(a.Entity) +
		len(a.Check)
	e.Disposed = append(e.Disposed, *d)
}

// answered appends what became of a response.
func (e *Effects) answered(a *Answered) {
	r := a.Response
	e.size += answeredSize + len(r.Incident) + len(r.By) + len(r.Note) + len(r.To)
	e.Answered = append(e.Answered, *a)
}

// size returns the bytes of the incident's strings.
func (in *Incident) size() int {
	n := len(in.ID) + len(in.Scope) + len(in.Rule) + len(in.Route) + len(in.Service) +
		len(in.Summary) + len(in.Owner) + len(in.Runbook) + len(in.Note)
	for i := range in.Group {
		n += len(in.Group[i].Name) + len(in.Group[i].Value)
	}
	for _, s := range in.Services {
		n += len(s)
	}
	return n
}
