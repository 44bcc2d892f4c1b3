package route

import (
	"sync/atomic"

	"flyball/schema"
)

// Current is the table that holds at present: what classifies calls while
// another version may be put in its place. The log side and the gate side of a
// process share one.
type Current struct{ table atomic.Pointer[Table] }

// NewCurrent begins with a table.
func NewCurrent(t *Table) *Current {
	c := &Current{}
	c.Put(t)
	return c
}

// Put makes a table the present one.
func (c *Current) Put(t *Table) { c.table.Store(t) }

// Version of the present table.
func (c *Current) Version() string { return c.table.Load().Version() }

// Classify is the present table's.
func (c *Current) Classify(call *schema.Call, in *Input) { c.table.Load().Classify(call, in) }

// MoneyHeaders are the present table's.
func (c *Current) MoneyHeaders() []string { return c.table.Load().MoneyHeaders() }

// Readings are the present table's.
func (c *Current) Readings(call *schema.Call, in *Input) ([]Other, bool) {
	return c.table.Load().Readings(call, in)
}

// Digest is the present table's.
func (c *Current) Digest(text string) uint64 { return c.table.Load().Digest(text) }
