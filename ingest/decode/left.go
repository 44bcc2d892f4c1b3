package decode

// Left is a kind of thing in a record that is read and is no call.
type Left uint8

// The kinds. The first are those of spans.
const (
	LeftInternal  Left = Left(leftInternal)  // an internal span of a program
	LeftClient    Left = Left(leftClient)    // a span of a client of a database, a cache or the like
	LeftMessaging Left = Left(leftMessaging) // a span of a producer or a consumer
	LeftFramework Left = Left(leftFramework) // a span of an agent's framework that names no tool, model or agent
	LeftIgnored   Left = 5                   // a record that tells again of calls that have records of their own
	LeftComment   Left = 6                   // a line that describes the file
	LeftControl   Left = 7                   // a message with which a shipper tests its target
	LeftModel     Left = 8                   // an event of a coding agent that is no call
	leftKinds     Left = 9
)

var leftNames = [leftKinds]string{LeftInternal: "internal span", LeftClient: "client span without an HTTP, RPC, MCP or model operation",
	LeftMessaging: "producer or consumer span", LeftFramework: "span of an agent framework that names no tool, model or agent",
	LeftIgnored: "record that repeats calls with records of their own", LeftComment: "comment line of a log file",
	LeftControl: "test message of a shipper", LeftModel: "event of a coding agent that is no call"}

// String returns the kind in words.
func (l Left) String() string { return leftNames[min(l, leftKinds-1)] }

// LeftCounts is how often each kind occurred.
type LeftCounts [leftKinds]uint64

// Left returns how much of the records that the pipeline read is no call, by kind.
func (p *Pipeline) Left() (out LeftCounts) {
	for i := range p.left {
		out[i] = p.left[i].Load()
	}
	return out
}

// leave counts a part of the record that is no call.
func (dec *decoder) leave(kind Left) { dec.p.left[kind].Add(1) }
