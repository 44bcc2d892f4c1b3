package clickhouse

import (
	"slices"

	"flyball/schema"
)

type touch = schema.Touch

// touchesColumns returns the columns of touches_v5: those of touches_store, the actor of the run, and the latest day under which its calls
// were filed.
func touchesColumns() []column[touch] {
	actor := num("actor_hash", "UInt32", func(t *touch) uint32 { return t.Actor }).with(constant)
	return append(slices.Insert(legacyTouchesColumns(), 2, actor),
		num("filed_day", "Date", func(t *touch) uint16 { return t.Filed }).as("SimpleAggregateFunction(max, Date)").with(constant))
}

// legacyTouchesColumns returns the columns of touches_store, in which touches were written up to version 4.
func legacyTouchesColumns() []column[touch] {
	return []column[touch]{
		word("tenant", func(t *touch) string { return t.Tenant }),
		touchedResource("resource"),
		uuid("run_id", func(t *touch) [16]byte { return t.RunID }),
		enum("effect", schema.EffectWords, func(t *touch) schema.Effect { return t.Effect }),
		enum("reversibility", schema.ReversibilityWords, func(t *touch) schema.Reversibility { return t.Reversibility }).
			as("SimpleAggregateFunction(max, " + enum8(schema.ReversibilityWords) + ")"),
		clockNs("first_at", func(t *touch) int64 { return t.First }).as("SimpleAggregateFunction(min, " + nanoTime + ")"),
		clockNs("last_at", func(t *touch) int64 { return t.Last }).as("SimpleAggregateFunction(max, " + nanoTime + ")"),
	}
}

// touchedResource makes one column with "type:id", so that resource = 'order:7' and resource
// LIKE 'order:%' both use the sorting key through the view.
func touchedResource(name string) column[touch] {
	t := &text{}
	return column[touch]{name: name, typ: "String", wire: "String", codec: constant, data: t, put: func(v *touch, row int) {
		t.putResource(row, &v.Resource)
	}}
}
