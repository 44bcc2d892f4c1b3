// Package learn makes baselines: it asks ClickHouse for closed clean runs,
// counts them, calibrates on runs that the counts had not seen, publishes the
// result under a version and has every partition of flyball.calls activate it
// at a mark.
//
// It refuses to learn from what is still open, what was alarmed, what is too
// fresh to have been judged, and from overflow runs; and it publishes nothing
// that rests on fewer runs than the operator allows.
package learn
