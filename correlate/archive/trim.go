package archive

import "sort"

// TrimBefore returns the section without the rows whose position is below offset: views into s,
// which stays as it is. Coverage that is archived already is cut away with it when a record comes
// again.
func (s *Section) TrimBefore(offset int64) Section {
	positions := s.Column("offset")
	n := sort.Search(s.Rows, func(i int) bool { return positions.int64At(i) >= offset })
	if n == 0 {
		return *s
	}
	out := Section{Table: s.Table, Rows: s.Rows - n, Columns: make([]Column, len(s.Columns))}
	for i := range s.Columns {
		out.Columns[i] = s.Columns[i].skip(n)
	}
	return out
}

// skip returns the column without its first n values. A dictionary stays whole: what is not used
// any more costs bytes, not rows.
func (c *Column) skip(n int) Column {
	out := *c
	k, _, _, err := shape(c.Type)
	if err != nil || c.Repeat {
		return out
	}
	switch k {
	case kindText:
		out.Data = skipText(c.Data, n)
	case kindMaybe:
		out.Null = c.Null[n:]
		out.Data = c.Data[n*c.Width:]
	case kindList:
		elements := int(sum(c.Data, c.Width, n))
		out.Data = c.Data[n*c.Width:]
		out.Inner = make([]Column, len(c.Inner))
		for i := range c.Inner {
			out.Inner[i] = c.Inner[i].skip(elements)
		}
	default:
		out.Data = c.Data[n*c.Width:]
	}
	return out
}
