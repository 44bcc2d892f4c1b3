package wire

import "flyball/schema"

// CodeSource writes or reads a source.
func CodeSource(c *Coder, s *schema.Source) {
	c.Text(&s.Topic)
	c.Array(s.TopicID[:])
	codePartition(c, &s.Partition)
}

// CodeCallRef writes or reads the position of a call in flyball.calls.
func CodeCallRef(c *Coder, ref *schema.CallRef) {
	codePartition(c, &ref.Partition)
	c.Int(&ref.Offset)
	Num(c, &ref.Item)
}

func codePartition(c *Coder, part *int32) {
	p := int64(*part)
	c.Int(&p)
	*part = int32(p)
}
