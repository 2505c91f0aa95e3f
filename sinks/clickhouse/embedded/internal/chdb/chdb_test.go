package chdb

import "testing"

func TestExceptions(t *testing.T) {
	for text, want := range map[string]Exception{
		"Code: 60. DB::Exception: Table t does not exist. (UNKNOWN_TABLE)": {60,
			"DB::Exception: Table t does not exist. (UNKNOWN_TABLE)"},
		"std::bad_alloc": {1002, "DB::Exception: std::bad_alloc. (UNKNOWN_EXCEPTION)"},
		"Code: x. y":     {1002, "DB::Exception: Code: x. y. (UNKNOWN_EXCEPTION)"},
	} {
		if got := newException(text); *got != want {
			t.Errorf("%s: got %+v", text, got)
		}
	}
}
