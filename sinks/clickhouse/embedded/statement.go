package embedded

import "strings"

// statement is what the server must know of a statement before the engine sees it: whether its
// answer can be streamed, whether rows come beside its text, and the FORMAT that it names.
type statement struct {
	text string
	// streams says that it is a SELECT, lists that it is another statement that answers with rows.
	streams, lists bool
	// several says that the text holds more than one statement, which no client may send.
	several bool
	// format is what a FORMAT clause names; formatAt is where the clause begins.
	format   string
	formatAt int
	// insert is set for an INSERT whose rows are not in another query.
	insert *insert
}

// insert is an INSERT of rows.
type insert struct {
	head    string // up to the VALUES or FORMAT
	format  string // "" if none is named
	rowsAt  int    // where rows in the text begin
	target  string // "db.table", or "FUNCTION f(...)"
	columns string // "(a, b)", or ""
}

// inline returns the rows that stand in the text, or "" if there are none.
func (st *statement) inline() string {
	rows := st.text[st.insert.rowsAt:]
	if trimmed := strings.TrimSpace(rows); trimmed == "" || trimmed == ";" {
		return ""
	}
	return rows
}

// withoutFormat is the text without its FORMAT clause, for answers whose format the protocol fixes.
func (st *statement) withoutFormat() string {
	if st.format == "" {
		return st.text
	}
	after := scanner{text: st.text, to: st.formatAt}
	after.next()
	after.next()
	return st.text[:st.formatAt] + st.text[after.to:]
}

func parseStatement(text string) *statement {
	st := &statement{text: text}
	sc := scanner{text: text}
	sc.next()
	first := sc.word()
	if first == "INSERT" {
		if st.insert = parseInsert(&sc); st.insert != nil {
			return st
		}
	}
	switch first {
	case "SELECT", "WITH", "FROM", "(":
		st.streams = true
	case "SHOW", "DESC", "DESCRIBE", "EXPLAIN", "EXISTS", "CHECK":
		st.lists = true
	}
	sc = scanner{text: text}
	for before := ""; sc.next(); {
		word := sc.word()
		switch {
		case before == ";":
			st.several = true
		case word == "INSERT" && sc.depth == 0:
			st.streams = false // WITH ... INSERT INTO
		case before == "FORMAT" && sc.depth == 0 && isName(word) && sc.atEndOfFormat():
			st.format = sc.text[sc.from:sc.to]
		}
		if word == "FORMAT" && st.format == "" {
			st.formatAt = sc.from
		}
		before = word
	}
	return st
}

// parseInsert reads on behind INSERT. It returns nil if the rows come from a query or a file.
func parseInsert(sc *scanner) *insert {
	sc.next()
	if sc.word() == "INTO" {
		sc.next()
	}
	if sc.word() == "TABLE" {
		sc.next()
	}
	in := &insert{}
	start := sc.from
	if sc.word() == "FUNCTION" {
		sc.next()
		sc.next()
		sc.group()
	} else {
		for sc.peek() == "." {
			sc.next()
			sc.next()
		}
	}
	in.target = sc.text[start:sc.to]
	if sc.peek() == "(" {
		sc.next()
		from := sc.from
		switch sc.peek() {
		case "SELECT", "WITH", "(":
			return nil
		}
		sc.group()
		in.columns = sc.text[from:sc.to]
	}
	in.head, in.rowsAt = sc.text, len(sc.text)
	for sc.next() {
		switch word := sc.word(); word {
		case "SELECT", "WITH", "FROM", "WATCH", "(":
			return nil
		case ";":
			in.head = sc.text[:sc.from]
			return in
		case "VALUES", "FORMAT":
			in.head, in.format = sc.text[:sc.from], "Values"
			if word == "FORMAT" {
				sc.next()
				in.format = sc.text[sc.from:sc.to]
			}
			in.rowsAt = sc.lineEnd()
			return in
		}
	}
	return in
}

func isName(word string) bool {
	return word != "" && (word[0] == '_' || word[0] >= 'A' && word[0] <= 'Z')
}

// scanner cuts a statement into words, quoted things and single characters; comments and blanks are
// between them. It knows no grammar.
type scanner struct {
	text     string
	from, to int // the token
	depth    int // of parentheses around it
}

// word returns the token in upper case: "SELECT", "(", "'x'"; "" at the end.
func (s *scanner) word() string { return strings.ToUpper(s.text[s.from:s.to]) }

// peek returns the next token's word without taking it.
func (s *scanner) peek() string {
	ahead := *s
	ahead.next()
	return ahead.word()
}

// atEndOfFormat tells whether the token can end a FORMAT clause.
func (s *scanner) atEndOfFormat() bool {
	next := s.peek()
	return next == "" || next == ";" || next == "SETTINGS"
}

// group goes from an opening parenthesis to the one that closes it.
func (s *scanner) group() {
	for depth := s.depth; s.next(); {
		if s.depth < depth {
			return
		}
	}
}

// lineEnd returns where rows begin behind the token: behind blanks and one end of line.
func (s *scanner) lineEnd() int {
	rest := strings.TrimLeft(s.text[s.to:], " \t")
	rest = strings.TrimPrefix(strings.TrimPrefix(rest, "\r"), "\n")
	return len(s.text) - len(rest)
}

// next takes the next token. It returns false at the end.
func (s *scanner) next() bool {
	s.from = s.to
	s.skipBlanks()
	s.to = s.from
	if s.from == len(s.text) {
		return false
	}
	switch c := s.text[s.from]; {
	case c == '\'' || c == '"' || c == '`':
		s.to = endOfQuoted(s.text, s.from)
	case isWordByte(c):
		for s.to < len(s.text) && isWordByte(s.text[s.to]) {
			s.to++
		}
	default:
		s.to++
		if c == '(' {
			s.depth++
		} else if c == ')' {
			s.depth--
		}
	}
	return true
}

func (s *scanner) skipBlanks() {
	for s.from < len(s.text) {
		rest := s.text[s.from:]
		switch {
		case strings.IndexByte(" \t\r\n\f\v", rest[0]) >= 0:
			s.from++
		case strings.HasPrefix(rest, "--"), strings.HasPrefix(rest, "#!"),
			strings.HasPrefix(rest, "# "):
			s.from += lengthTo(rest, "\n")
		case strings.HasPrefix(rest, "/*"):
			s.from += 2 + lengthTo(rest[2:], "*/")
		default:
			return
		}
	}
}

// lengthTo returns the length of s up to and with end, or of all of s.
func lengthTo(s, end string) int {
	if i := strings.Index(s, end); i >= 0 {
		return i + len(end)
	}
	return len(s)
}

// endOfQuoted returns where the quoted thing at from ends; a backslash takes what follows it.
func endOfQuoted(s string, from int) int {
	for i := from + 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case s[from]:
			return i + 1
		}
	}
	return len(s)
}

func isWordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' || c >= 0x80
}
