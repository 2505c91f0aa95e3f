package audit

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"quell/pipeline/kafkatest"
	"quell/sinks/clickhouse"
)

// told is what a report says is wrong, one line each.
func told(r *Report) string {
	if r == nil {
		return ""
	}
	var b strings.Builder
	for i := range r.Wrong {
		fmt.Fprintln(&b, r.Wrong[i].String())
	}
	return strings.TrimSpace(b.String())
}

// settled runs the service over a storm and audits while it runs, then stops it.
func settled(t *testing.T, kafka string) *world {
	w := newWorld(t, kafka)
	w.storm()
	stop := w.serve()
	w.options.Archive.To.Ping(t.Context())
	r := w.audit(t, w.client, func(o *Options) { o.Wait = time.Minute })
	if !r.OK {
		t.Fatalf("a clean run: %s", told(r))
	}
	stop()
	return w
}

// A clean run audits clean, with every figure: markers and aborted records are absent, undecodable
// records are rejected, responses count like events.
func clean(t *testing.T, w *world) {
	for _, every := range []bool{false, true} {
		r := w.audit(t, w.client, func(o *Options) { o.EveryRecord = every })
		if !r.OK || len(r.Raw) != 3 {
			t.Fatalf("ok is %v, %d partitions: %s", r.OK, len(r.Raw), told(r))
		}
		for i, want := range []Raw{
			{Topic: raw, End: 60, Records: 60, Events: 54, Rejected: 6},
			{Topic: raw, Partition: 1, End: 11, Records: 6, Events: 6, Absent: 5, Passed: 6, Dispositions: 6},
			{Topic: w.options.Topics.Responses, End: 2, Records: 2, Events: 1, Rejected: 1},
		} {
			got := r.Raw[i]
			if i == 0 { // how many are passed on depends on how long it took
				if got.Passed < 9 || got.Dispositions != got.Passed {
					t.Errorf("%d passed, %d disposed", got.Passed, got.Dispositions)
				}
				got.Passed, got.Dispositions, got.Flushes = 0, 0, 0
			}
			if got != want {
				t.Errorf("every record %v:\n got %+v\nwant %+v", every, got, want)
			}
		}
		if r.Incidents != 15 || r.Revisions.Rows != r.Revisions.Records || r.Pages.Rows < 15 ||
			r.Pages.Rows != r.Pages.Records {
			t.Errorf("%d incidents, revisions %+v, pages %+v", r.Incidents, r.Revisions, r.Pages)
		}
		var out bytes.Buffer
		if err := r.Print(&out); err != nil || !strings.Contains(out.String(), "\naudit ok: 68 records, 68 rows") {
			t.Errorf("%v\n%s", err, out.String())
		}
	}
}

// TestRealClean audits the clean run on the embedded broker.
func TestRealClean(t *testing.T) {
	w := settled(t, "")
	clean(t, w)
	everyRecord(t, w)
}

// TestRealKafka: a real broker's log says the same.
func TestRealKafka(t *testing.T) {
	broker := kafkatest.Start(t, kafkatest.Options{})
	w := settled(t, broker.Addr())
	clean(t, w)
	everyRecord(t, w)
}

// everyRecord plants rows where the log holds a marker and an aborted record. Nothing but a look at
// every record can find them: the archive has no gap there.
func everyRecord(t *testing.T, w *world) {
	client := w.twin(t, "unfounded")
	exec(t, client, "INSERT INTO events (topic, partition, offset, received, verdict, archive_day) SELECT topic, 1, "+
		"arrayJoin([3, 4]), received, 'duplicate', archive_day FROM (SELECT * FROM events LIMIT 1)")
	r := w.audit(t, client, func(o *Options) { o.EveryRecord = true })
	if got := told(r); got != "row_without_record quell.events/1 at 3 to 4" || r.Raw[1].Records != 6 {
		t.Errorf("%s, %+v", got, r.Raw[1])
	}
}

// TestRealRows plants faults in the archive, each in a copy of its own, and each is found where it
// is.
func TestRealRows(t *testing.T) {
	w := settled(t, "")
	page := ask(t, w.client, "SELECT incident, revision FROM pages ORDER BY incident LIMIT 1")[0]
	ref := fmt.Sprintf("incident %s revision %d", page[0], page[1])
	last := ask(t, w.client, "SELECT incident, max(revision) FROM incident_revisions GROUP BY incident "+
		"HAVING max(revision) >= 1 ORDER BY incident LIMIT 1")[0]
	drop := func(table, where string) string {
		return "ALTER TABLE " + table + " DELETE WHERE " + where + " SETTINGS mutations_sync = 2"
	}
	double := func(table, where string) string {
		return "INSERT INTO " + table + " SELECT * FROM " + table + " WHERE " + where
	}
	for i, c := range []struct {
		name  string
		plant string
		want  string
	}{
		{"a deleted event", drop("events", "topic = 'quell.events' AND partition = 0 AND offset IN (41, 42)"),
			"missing_row quell.events/0 at 41 to 42"},
		{"the first and the last", drop("events", "partition = 1 AND offset IN (1, 9)"),
			"missing_row quell.events/1 at 1\nstray_disposition quell.events/1 at 1\n" +
				"missing_row quell.events/1 at 9\nstray_disposition quell.events/1 at 9"},
		{"a deleted rejection", drop("rejected", "topic = 'quell.events' AND offset = 19"),
			"missing_row quell.events/0 at 19"},
		{"a doubled event", double("events", "partition = 0 AND offset = 33"),
			"doubled_row quell.events/0 at 33: 2 rows in events, 0 in rejected"},
		{"an event that is also rejected", "INSERT INTO rejected (topic, partition, offset, received, archive_day) " +
			"SELECT topic, partition, offset, received, archive_day FROM events WHERE partition = 0 AND offset = 31",
			"doubled_row quell.events/0 at 31: 1 rows in events, 1 in rejected"},
		{"an event behind the log", "INSERT INTO events (topic, partition, offset, received, verdict, archive_day) " +
			"SELECT topic, partition, 99, received, 'duplicate', archive_day FROM events WHERE partition = 0 LIMIT 1",
			"row_behind_log quell.events/0 at 99: the log ends at 60"},
		{"an event of a partition that is not there", "INSERT INTO events (topic, partition, offset, received, " +
			"verdict, archive_day) SELECT topic, 7, 3, received, 'duplicate', archive_day FROM events LIMIT 1",
			"row_behind_log quell.events/7 at 3: the log ends at 0"},
		{"a passed event without disposition", drop("dispositions", "raw_partition = 1 AND raw_offset = 2"),
			"missing_disposition quell.events/1 at 2"},
		{"a doubled disposition", double("dispositions", "raw_partition = 1 AND raw_offset = 8"),
			"doubled_disposition quell.events/1 at 8: 2 rows in dispositions"},
		{"a disposition of a rejected record", "INSERT INTO dispositions SELECT * REPLACE(0 AS raw_partition, " +
			"29 AS raw_offset, true AS flush) FROM (SELECT * FROM dispositions WHERE raw_partition = 1 AND raw_offset = 8)",
			"stray_disposition quell.events/0 at 29"},
		{"a deleted page", drop("pages", fmt.Sprintf("incident = '%s' AND revision = %d", page[0], page[1])),
			"missing_page_row quell.pages/P at [N] " + ref},
		{"a doubled page", double("pages", fmt.Sprintf("incident = '%s' AND revision = %d", page[0], page[1])),
			"doubled_page_row " + ref + ": 2 rows"},
		{"a deleted revision", drop("incident_revisions", fmt.Sprintf("incident = '%s' AND revision = %d", last[0],
			last[1])), fmt.Sprintf("missing_revision_row quell.incidents/P at [N] incident %s revision %d", last[0], last[1])},
		{"a revision too many, behind a hole", "INSERT INTO incident_revisions SELECT * REPLACE(revision + 2 AS revision) " +
			fmt.Sprintf("FROM (SELECT * FROM incident_revisions WHERE incident = '%s' AND revision = %d)", last[0], last[1]),
			fmt.Sprintf("revision_gap incident %s revision %d: 1 missing, the next is revision %d\n"+
				"missing_revision quell.incidents/P incident %s revision %d", last[0], last[1].(uint32)+1,
				last[1].(uint32)+2, last[0], last[1].(uint32)+2)},
		{"an archived page of no incident", "INSERT INTO pages SELECT * REPLACE('0-f' AS incident, 3 AS revision) " +
			"FROM pages LIMIT 1", "page_without_revision incident 0-f revision 3\n" +
			"missing_page quell.pages/P incident 0-f revision 3"},
	} {
		t.Run(c.name, func(t *testing.T) {
			client := w.twin(t, fmt.Sprintf("twin%d", i))
			exec(t, client, c.plant)
			r := w.audit(t, client, nil)
			if got := anywhere(told(r)); got != sorted(c.want) || r.OK {
				t.Errorf("ok is %v and it says\n%s\nwant\n%s", r.OK, got, sorted(c.want))
			}
			if int(r.WrongTotal) < strings.Count(c.want, "\n")+1 {
				t.Errorf("%d wrong", r.WrongTotal)
			}
		})
	}
}

// TestRealLogs plants faults in Kafka's logs, one after the other.
func TestRealLogs(t *testing.T) {
	w := settled(t, "")
	topics := &w.options.Topics
	page := read(t, w, topics.Pages)
	again := *page
	produce := func(r *kgo.Record) int64 {
		t.Helper()
		p, err := w.cl.ProduceSync(t.Context(), r).First()
		if err != nil {
			t.Fatal(err)
		}
		return p.Offset
	}
	second := produce(&kgo.Record{Topic: page.Topic, Partition: page.Partition, Key: page.Key, Value: page.Value})
	var n named
	mustJSON(t, again.Value, &n)
	want := []string{fmt.Sprintf("doubled_page %s/%d at [%d %d] incident %s revision %d", page.Topic, page.Partition,
		page.Offset, second, n.ID, n.Revision)}
	check := func(what string, change func(*Options)) *Report {
		t.Helper()
		r := w.audit(t, w.client, change)
		if got := sorted(told(r)); got != sorted(strings.Join(want, "\n")) {
			t.Errorf("%s: it says\n%s\nwant\n%s", what, got, sorted(strings.Join(want, "\n")))
		}
		return r
	}
	check("a doubled page", nil)

	at := produce(&kgo.Record{Topic: topics.Pages, Partition: 1, Key: []byte("1-abc"), Value: []byte(`{"id":"1-abc","revision":4}`)})
	want = append(want, fmt.Sprintf("page_without_revision quell.pages/1 at [%d] incident 1-abc revision 4", at),
		fmt.Sprintf("missing_page_row quell.pages/1 at [%d] incident 1-abc revision 4", at))
	check("a page of no incident", nil)

	at = produce(&kgo.Record{Topic: topics.Pages, Partition: 1, Key: []byte("1-abd"), Value: []byte(`{}`)})
	want = append(want, fmt.Sprintf("unreadable_page quell.pages/1 at [%d]: no incident or no revision in it", at))
	check("a page that says nothing", nil)

	produce(&kgo.Record{Topic: raw, Partition: 1, Value: event(50, "firing")})
	r := w.audit(t, w.client, func(o *Options) { o.Wait = 0 })
	if r.Raw[1].Pending != 1 || r.Raw[1].Missing != 0 || r.Raw[1].Records != 7 || r.Pages.Pending != 1 ||
		len(r.Wrong) != 3 {
		t.Errorf("not waited for: %+v, pages %+v\n%s", r.Raw[1], r.Pages, told(r))
	}
	want = append(want, "missing_row quell.events/1 at 11")
	if r := check("a record that is not archived", nil); r.Raw[1].Missing != 1 || r.WrongTotal != int64(len(want)) {
		t.Errorf("%d wrong, missing: %+v", r.WrongTotal, r.Raw[1])
	}

	gone := kadm.Offsets{}
	gone.Add(kadm.Offset{Topic: raw, Partition: 0, At: 25})
	gone.Add(kadm.Offset{Topic: raw, Partition: 1, At: 8})
	gone.Add(kadm.Offset{Topic: topics.Pages, Partition: page.Partition, At: second + 1})
	if _, err := w.adm.DeleteRecords(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	want = want[1:] // the doubled page is gone
	if page.Partition == 1 {
		want = want[3:]
	}
	r = check("records that retention took", nil)
	if p := r.Raw[0]; p.Expired != 25 || p.Records != 35 || p.Events+p.Rejected != 60 || p.Start != 25 {
		t.Errorf("expired: %+v", p)
	}
	if p := r.Raw[1]; p.Expired != 4 || p.Unknown != 4 || p.Absent != 1 || p.Records != 3 {
		t.Errorf("expired: %+v", p)
	}
	if r.Pages.Expired == 0 {
		t.Errorf("expired pages: %+v", r.Pages)
	}
}

// TestRealTimes: --from and --to look at positions in between, in the log and below it.
func TestRealTimes(t *testing.T) {
	w := settled(t, "")
	stop := w.serve()
	w.audit(t, w.client, func(o *Options) { o.Wait = time.Minute })
	var between time.Time
	for between = time.Now(); !time.Now().After(between.Add(50 * time.Millisecond)); {
		_ = ask(t, w.client, "SELECT 1")
	}
	w.storm()
	r := w.audit(t, w.client, func(o *Options) { o.Wait = time.Minute })
	stop()
	if !r.OK {
		t.Fatal(told(r))
	}
	client := w.twin(t, "times")
	exec(t, client, "ALTER TABLE events DELETE WHERE partition = 0 AND offset IN (10, 70) SETTINGS mutations_sync = 2")
	early := w.audit(t, client, func(o *Options) { o.To = between })
	late := w.audit(t, client, func(o *Options) { o.From = between })
	if got := told(early); got != "missing_row quell.events/0 at 10" && !strings.HasPrefix(got, "missing_row quell.events/0 at 10\n") {
		t.Errorf("before: %s", got)
	}
	if got := told(late); !strings.Contains(got, "missing_row quell.events/0 at 70") || strings.Contains(got, "at 10") {
		t.Errorf("since: %s", got)
	}
	if p := early.Raw[0]; p.Start != 0 || p.End != 60 || p.Records != 60 || p.Events+p.Rejected != 59 {
		t.Errorf("before: %+v", p)
	}
	if p := late.Raw[0]; p.Start != 60 || p.End != 120 || p.Records != 60 {
		t.Errorf("since: %+v", p)
	}
	gone := kadm.Offsets{}
	gone.Add(kadm.Offset{Topic: raw, Partition: 0, At: 80})
	if _, err := w.adm.DeleteRecords(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	early = w.audit(t, client, func(o *Options) { o.To = between })
	late = w.audit(t, client, func(o *Options) { o.From = between })
	if p := early.Raw[0]; p.Expired != 59 || p.Records != 0 {
		t.Errorf("before, gone: %+v", p)
	}
	if p := late.Raw[0]; p.Expired != 19 || p.Records != 40 || p.Start != 80 {
		t.Errorf("since, partly gone: %+v", p)
	}
}

// What the archive's TTL has dropped is aged, and what is left of the day before needs no partner.
func TestRealAged(t *testing.T) {
	w := settled(t, "")
	client := w.twin(t, "aged")
	exec(t, client, "ALTER TABLE events DELETE WHERE partition = 1 AND offset < 8 SETTINGS mutations_sync = 2")
	exec(t, client, "ALTER TABLE pages DELETE WHERE reason = 'first' SETTINGS mutations_sync = 2")
	a := &auditor{}
	a.judgeTTL(time.Now())
	if a.day != "1970-01-01" || !a.outlived.IsZero() {
		t.Errorf("without a TTL: %s, %v", a.day, a.outlived)
	}
	// A TTL of zero days would have dropped what is from before tomorrow.
	old := auditorAt(w, client, time.Now().Add(48*time.Hour), 1)
	r, all := &Report{}, newFindings(10)
	b, err := old.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i := range old.parts {
		if err := old.auditPart(t.Context(), &old.parts[i], r, all); err != nil {
			t.Fatal(err)
		}
	}
	if err := old.auditBooks(t.Context(), b, r, all); err != nil {
		t.Fatal(err)
	}
	if r.finish(all, old.o, time.Now()); !r.OK {
		t.Error(told(r))
	}
	if p := r.Raw[1]; p.Aged != 4 || p.Records != 6 || p.Passed != 0 {
		t.Errorf("aged: %+v", p)
	}
	if r.Pages.Aged == 0 {
		t.Errorf("aged pages: %+v", r.Pages)
	}
}

func auditorAt(w *world, client *clickhouse.Client, now time.Time, days int) *auditor {
	a := &auditor{o: Options{Kafka: w.cl, Archive: client, Topics: w.options.Topics, Clock: w.options.Clock,
		TTLDays: days, Limit: 10,
		Note: func(string) {}}, log: newLogReader(w.cl), adm: w.adm}
	a.judgeTTL(now)
	return a
}
