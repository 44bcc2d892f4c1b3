package journal

import (
	"flyball/schema"
	"flyball/schema/clickhouse"
)

// touches gathers the rows of the index from resources to runs, merged within a record.
type touches struct {
	rows *clickhouse.Block[schema.Touch]
	seen map[touchKey]int // indexes in list
	list []schema.Touch
}

type touchKey struct {
	run      schema.RunID
	kind, id string
	effect   schema.Effect
}

func newTouches(table *clickhouse.Table[schema.Touch]) touches {
	return touches{rows: table.NewBlock(), seen: map[touchKey]int{}}
}

// add adds the resources of a call. The index lists every run that may have touched a resource. A further observation of a call
// may name resources that the counted row does not name, and a call that the check allowed may have no other log; one that it
// denied was never made.
func (x *touches) add(c *schema.Call) {
	if c.ObserverKind == schema.ObserverGate && c.Outcome == schema.OutcomeDenied {
		return
	}
	for i := range c.Resources {
		r := &c.Resources[i]
		k := touchKey{c.RunID, r.Type, r.ID, c.Effect}
		if at, ok := x.seen[k]; ok {
			t := &x.list[at]
			t.First, t.Last = min(t.First, c.Start), max(t.Last, c.Start)
			t.Filed = max(t.Filed, schema.FiledDay(c.Start, c.KafkaTime))
			t.Reversibility = max(t.Reversibility, c.Reversibility)
			continue
		}
		x.seen[k] = len(x.list)
		x.list = append(x.list, schema.Touch{Tenant: c.Tenant, Resource: *r, RunID: c.RunID, Actor: c.ActorHash, Effect: c.Effect,
			Reversibility: c.Reversibility, First: c.Start, Last: c.Start,
			Filed: schema.FiledDay(c.Start, c.KafkaTime)})
	}
}

// write moves the rows to the block.
func (x *touches) write() {
	for i := range x.list {
		x.rows.Append(&x.list[i])
	}
	clear(x.seen)
	clear(x.list)
	x.list = x.list[:0]
}
