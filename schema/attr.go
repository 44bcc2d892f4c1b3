package schema

import (
	"slices"
	"strings"
)

// AttrForwardedHops is the number of addresses in x-forwarded-for. It is set when there is
// more than one and no peer address was logged: the client can then choose its own address.
const AttrForwardedHops = "forwarded_hops"

// Attributes that the check sets from the task that an orchestrator declared for the run: its
// type, and whether it has targets.
const (
	AttrTaskType    = "flyball.task_type"
	AttrTaskTargets = "flyball.task_targets"
)

// Attr returns the value of an attribute, or "" if the call does not have it.
func (c *Call) Attr(key string) string {
	for i := range c.Attrs {
		if c.Attrs[i].Key == key {
			return c.Attrs[i].Value
		}
	}
	return ""
}

// SetAttr adds an attribute in the order of keys, or replaces its value. A call that
// already has MaxAttrs attributes gets no further one.
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
