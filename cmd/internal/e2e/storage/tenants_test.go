package storage

import (
	"errors"
	"testing"

	"flyball/schema"
	"flyball/schema/clickhouse"
	"flyball/schema/clickhouse/query"
)

// A query for the findings of one tenant does not return those of another, and a verdict by
// another tenant does not count.
func TestFindingsOfOneTenantWithoutThoseOfAnother(t *testing.T) {
	c := migrated(t)
	findings, verdicts := clickhouse.FindingsTable.NewBlock(), clickhouse.VerdictsTable.NewBlock()
	id := map[string]string{}
	for i, tenant := range []string{"acme", "o'brien {x:String}"} {
		f := schema.Finding{ID: schema.FindingID(schema.RunID{byte(i + 1)}, schema.FamilyScope), Version: 1, Tenant: tenant,
			RunID: schema.RunID{byte(i + 1)}, Family: schema.FamilyScope, Level: schema.LevelAlert}
		findings.Append(&f)
		id[tenant] = f.ID
	}
	verdicts.Append(&schema.Verdict{Tenant: "acme", FindingID: id["o'brien {x:String}"], Label: schema.VerdictBenign, Generation: 1})
	for _, b := range []clickhouse.Rows{findings, verdicts} {
		if err := c.Insert(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	for tenant, own := range id {
		list, err := query.FindingsOfTenants(t.Context(), c, []string{tenant}, 10)
		if err != nil || len(list) != 1 || list[0].ID != own || list[0].Verdict != "" {
			t.Errorf("of %s: %+v, %v", tenant, list, err)
		}
		for _, asked := range id {
			f, err := query.ResolveFinding(t.Context(), c, tenant, asked)
			if has := err == nil && f.ID == asked; has != (asked == own) || err != nil && !errors.Is(err, query.ErrNotFound) {
				t.Errorf("%s has %s: %t, %v", tenant, asked, has, err)
			}
		}
	}
	if list, err := query.FindingsOfTenants(t.Context(), c, []string{"acme", "o'brien {x:String}"}, 10); err != nil || len(list) != 2 {
		t.Errorf("of both: %+v, %v", list, err)
	}
	if list, err := query.FindingsOfTenants(t.Context(), c, nil, 10); err != nil || len(list) != 0 {
		t.Errorf("of no tenant: %+v, %v", list, err)
	}
}
