package schema

// Score is a run's score at a call that raised it.
type Score struct {
	Tenant   string
	RunID    RunID
	At       int64 // event time of the call, Unix ns
	Call     CallRef
	Value    float64
	Level    Level
	Baseline string
	Top      []Contribution
}
