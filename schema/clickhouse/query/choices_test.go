package query

import (
	"errors"
	"strings"
	"testing"
)

// The resources to choose from were all grouped before the first was answered: 40 s at 92 million calls, at each opening of a board.
func TestChoosingAResourceReadsAllTouches(t *testing.T) {
	for prefix, want := range map[string][]string{"": {"FROM touches_v5 ", ""}, "order:": {"FROM touches ", "ORDER BY resource"}} {
		for _, tenant := range []string{"", "acme"} {
			db := &refusing{}
			_, err := ChoicesOf(t.Context(), OfTenant(db, tenant), "resources", ChoiceFilter{Prefix: prefix, Limit: 3})
			if !errors.Is(err, errRefused) {
				t.Fatal(err)
			}
			sql := db.asked[strings.LastIndex(db.asked, "SELECT DISTINCT"):]
			if !strings.Contains(sql, want[0]) || strings.Contains(sql, "ORDER BY") != (want[1] != "") || !strings.Contains(sql, want[1]) {
				t.Errorf("beginning %q: %s", prefix, sql)
			}
			if tenant != "" && !strings.Contains(db.asked, "touches_v5 AS (SELECT * FROM touches_v5 WHERE tenant = {of_tenant:String})") {
				t.Errorf("names of other tenants are shown: %s", db.asked)
			}
		}
	}
}
