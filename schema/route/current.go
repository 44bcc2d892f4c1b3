package route

import (
	"sync/atomic"

	"flyball/schema"
)

// Current holds the table that is in use. Calls can be classified while another version
// replaces it. Ingest and the check of a process share one Current.
type Current struct{ table atomic.Pointer[Table] }

// NewCurrent returns a Current that holds t.
func NewCurrent(t *Table) *Current {
	c := &Current{}
	c.Put(t)
	return c
}

// Put replaces the table.
func (c *Current) Put(t *Table) { c.table.Store(t) }

// Version returns the version of the table in use.
func (c *Current) Version() string { return c.table.Load().Version() }

// Classify calls Table.Classify of the table in use.
func (c *Current) Classify(call *schema.Call, in *Input) { c.table.Load().Classify(call, in) }

// MoneyHeaders calls Table.MoneyHeaders of the table in use.
func (c *Current) MoneyHeaders() []string { return c.table.Load().MoneyHeaders() }

// Readings calls Table.Readings of the table in use.
func (c *Current) Readings(call *schema.Call, in *Input) ([]Other, bool) {
	return c.table.Load().Readings(call, in)
}

// Digest calls Table.Digest of the table in use.
func (c *Current) Digest(text string) uint64 { return c.table.Load().Digest(text) }

// Spellings calls Table.Spellings of the table in use.
func (c *Current) Spellings(call *schema.Call) []string { return c.table.Load().Spellings(call) }
