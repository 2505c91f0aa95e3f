package clickhouse_test

import (
	"strings"
	"testing"
)

// TestTuned: tables get the settings that make them cheap, also those of an older quell; what an
// operator has chosen stays.
func TestTuned(t *testing.T) {
	c := migrated(t, options())
	engine := func(table string) string {
		return ask(t, c, "SELECT engine_full FROM system.tables WHERE database = currentDatabase() AND name = '"+
			table+"'")[0][0].(string)
	}
	const few, own = "min_parts_to_merge_at_once = 10", "min_parts_to_merge_at_once = 3"
	if e := engine("events"); !strings.Contains(e, few) || !strings.Contains(e, "auto_statistics_types = ''") {
		t.Fatalf("events is %s", e)
	}
	run(t, c, "ALTER TABLE events RESET SETTING min_parts_to_merge_at_once")
	run(t, c, "ALTER TABLE dispositions MODIFY SETTING "+own)
	if e := engine("events"); strings.Contains(e, few) {
		t.Fatalf("events is still %s", e)
	}
	if err := c.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if e := engine("events"); !strings.Contains(e, few) {
		t.Errorf("a table without the setting stays %s", e)
	}
	if e := engine("dispositions"); !strings.Contains(e, own) {
		t.Errorf("an operator's choice became %s", e)
	}
}
