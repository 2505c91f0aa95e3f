package archive

import (
	"fmt"
	"slices"
	"strings"

	"quell/correlate"
)

// Names of the tables.
const (
	TableEvents       = "events"
	TableRejected     = "rejected"
	TableDispositions = "dispositions"
	TableRevisions    = "incident_revisions"
	TablePages        = "pages"
	TableResponses    = "responses"
)

// Table is what the archive keeps of one kind of row. Every table has the columns topic, partition
// and offset, the position whose coverage the row belongs to, and archive_day.
type Table struct {
	Name    string
	Columns []Spec
}

// Spec is one column: its name, and its type in a block. Words, if any, are the words that the
// numbers of an Int8 column stand for, from 0 on; in ClickHouse the column is then an Enum8.
type Spec struct {
	Name, Type string
	Words      []string
}

// SQLType returns the type of the column in ClickHouse's notation, as system.columns shows it.
func (s Spec) SQLType() string {
	if s.Words == nil {
		return s.Type
	}
	var b strings.Builder
	for i, w := range s.Words {
		fmt.Fprintf(&b, ", '%s' = %d", w, i)
	}
	return "Enum8(" + strings.TrimPrefix(b.String(), ", ") + ")"
}

// tables is read only: Decode looks into it for every section.
var tables = [...]Table{eventsTable(), rejectedTable(), dispositionsTable(), revisionsTable(),
	pagesTable(), responsesTable()}

// Tables returns all tables. Their columns are not to be changed.
func Tables() []Table { return slices.Clone(tables[:]) }

// TableNamed returns the table of that name.
func TableNamed(name string) (Table, bool) {
	for i := range tables {
		if tables[i].Name == name {
			return tables[i], true
		}
	}
	return Table{}, false
}

// words lists "" for the zero value and then all words of a closed set of correlate.
func words[T interface {
	~uint8
	String() string
}]() []string {
	out := []string{""}
	for i := 1; i < 256; i++ {
		w := T(i).String()
		if strings.HasPrefix(w, "unknown(") {
			break
		}
		out = append(out, w)
	}
	return out
}

func col(name, typ string) Spec { return Spec{Name: name, Type: typ} }

func enum(name string, words []string) Spec {
	return Spec{Name: name, Type: typeInt8, Words: words}
}

// position begins every table.
func position() []Spec {
	return []Spec{col("topic", typeWord), col("partition", typeInt32), col("offset", typeInt64)}
}

func table(name string, specs ...Spec) Table {
	cols := append(position(), specs...)
	return Table{Name: name, Columns: append(cols, col("archive_day", typeDate))}
}

func eventsTable() Table {
	return table(TableEvents,
		col("time", typeTime), col("received", typeTime),
		col("scope", typeWord), col("source", typeWord), col("service", typeWord),
		col("entity", typeText), col("check", typeWord),
		enum("severity", words[correlate.Severity]()), enum("status", words[correlate.Status]()),
		enum("verdict", words[correlate.Verdict]()), col("fingerprint", typeFingerprint),
		col("id", typeText), col("summary", typeText), col("url", typeText), col("value", typeText),
		col("labels", typeLabels), col("clamped", typeBool), col("epoch", typeUint64))
}

func rejectedTable() Table {
	return table(TableRejected,
		col("received", typeTime), col("reason", typeWord), col("detail", typeText),
		col("payload", typeText), col("size", typeUint64), col("hash", typeUint64),
		col("epoch", typeUint64))
}

func dispositionsTable() Table {
	return table(TableDispositions,
		col("at", typeTime), col("raw_topic", typeWord), col("raw_partition", typeInt32),
		col("raw_offset", typeInt64), col("first_offset", typeInt64), col("episode", typeInt64),
		col("fingerprint", typeFingerprint), col("scope", typeWord), col("source", typeWord),
		col("service", typeWord), col("entity", typeText), col("check", typeWord),
		enum("severity", words[correlate.Severity]()), enum("status", words[correlate.Status]()),
		enum("verdict", words[correlate.Verdict]()), col("flush", typeBool),
		enum("disposition", words[correlate.Disposition]()), col("incident", typeText),
		col("rule", typeWord), col("added", typeUint64), col("first", typeTime),
		col("since", typeTime), col("last", typeTime), col("received", typeTime))
}

// incidentSpecs are the fields of correlate.Incident that a page repeats.
func incidentSpecs() []Spec {
	return []Spec{
		col("at", typeTime), col("incident", typeText), col("revision", typeUint32),
		col("scope", typeWord), col("rule", typeWord), col("group", typeLabels),
		col("route", typeWord), enum("state", words[correlate.State]()),
		enum("severity", words[correlate.Severity]()), col("service", typeWord),
		col("services", typeWords), col("summary", typeText), col("owner", typeWord),
		col("runbook", typeText), col("priority", typeWord), col("first_event", typeTime),
		col("opened", typeTime), col("events", typeUint64), col("alerts", typeUint64),
		col("firing", typeUint64),
	}
}

func revisionsTable() Table {
	return table(TableRevisions, append(incidentSpecs(),
		enum("cause", words[correlate.Cause]()), col("last_event", typeTime),
		col("detected", typeTime), col("paged", typeMaybeTime), col("acknowledged", typeMaybeTime),
		col("resolved", typeMaybeTime), col("late", typeUint64), col("reopened", typeUint32),
		col("pages", typeUint32), col("transient", typeBool), col("returned_to_normal", typeBool),
		col("by", typeText), col("assignee", typeText), col("note", typeText))...)
}

func pagesTable() Table {
	return table(TablePages, append(incidentSpecs(),
		enum("reason", words[correlate.PageReason]()), col("top_alerts", typeText))...)
}

func responsesTable() Table {
	return table(TableResponses,
		col("at", typeTime), col("raw_topic", typeWord), col("raw_partition", typeInt32),
		col("raw_offset", typeInt64), col("incident", typeText),
		enum("action", words[correlate.Action]()), enum("outcome", words[correlate.Outcome]()),
		col("by", typeText), col("said_at", typeMaybeTime), col("note", typeText),
		col("to", typeText))
}
