package decode

import (
	"testing"

	"flyball/ingest/mapping"
)

func TestEveryFieldOfAMappingHasASetter(t *testing.T) {
	if len(mappedTable) != len(mapping.FieldNames()) {
		t.Fatalf("%d setters for %d fields", len(mappedTable), len(mapping.FieldNames()))
	}
	for f, set := range mappedTable {
		if set == nil {
			t.Errorf("%s has no setter", mapping.Field(f))
		}
	}
}
