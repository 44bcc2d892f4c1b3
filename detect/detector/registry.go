package detector

// Deployed returns a Set of all detectors of this version, for one partition.
func Deployed(o Options, m *Metrics) *Set {
	var (
		identity = identityDetector{}
		callRate = &callRateDetector{metrics: m, falseTrips: o.FalseTrips}
		session  = newSessionDetector(o.FalseSuspicions, m)
		crossRun = &crossRunDetector{}
		scope    = &scopeDetector{off: o.Unscoped, metrics: m}
		runaway  = &runawayDetector{}
	)
	// The first list is the order of findings of one call in flyball.events, the second the order
	// of findings that close with their run. Neither order may change: a replay writes the same
	// events.
	s := newSet(o, m,
		[]Detector{identity, callRate, session, crossRun, scope, runaway},
		[]Detector{session, scope, identity, crossRun, callRate, runaway})
	s.addCanary(canaryDetector{})
	return s
}
