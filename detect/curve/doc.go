// Package curve counts calls by minute, by the rule that bound them, and by agent and hour, in bounded memory, so that a question
// about many calls reads few rows. It does no input and output.
//
// Every call counts once (schema.Call.Counted). A counter is given up when the memory is full, the one whose last call was the
// earliest first; a later call of its kind begins another segment of it, and readers add segments. What the counters are after a
// record of flyball.calls depends only on the records up to it, so that a replay gives the same segments with the same counts.
// A segment is identified by the offset of its first record: nothing is given up before a record has ended.
package curve
