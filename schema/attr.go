package schema

import (
	"slices"
	"strings"
)

// AttrForwardedHops says how many addresses x-forwarded-for held, where it was
// more than one and no peer was logged: the client's address may then be the client's
// own word.
const AttrForwardedHops = "forwarded_hops"

// Attributes of what the check side observed, about the task that an orchestrator
// had declared for the run: its type, and that it has targets.
const (
	AttrTaskType    = "flyball.task_type"
	AttrTaskTargets = "flyball.task_targets"
)

// Attr is the value of an attribute; "" where there is none.
func (c *Call) Attr(key string) string {
	for i := range c.Attrs {
		if c.Attrs[i].Key == key {
			return c.Attrs[i].Value
		}
	}
	return ""
}

// SetAttr puts an attribute at its place among the call's, or replaces it. What is
// beyond MaxAttrs is left out.
func (c *Call) SetAttr(key, value string) {
	i, there := slices.BinarySearchFunc(c.Attrs, key, func(a Attr, k string) int { return strings.Compare(a.Key, k) })
	switch {
	case there:
		c.Attrs = slices.Clone(c.Attrs)
		c.Attrs[i].Value = value
	case len(c.Attrs) < MaxAttrs:
		c.Attrs = slices.Insert(slices.Clip(c.Attrs), i, Attr{Key: key, Value: value})
	}
}
