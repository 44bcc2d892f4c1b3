package detector

// Deployed makes a Set of all detectors of this version, for one partition.
func Deployed(o Options, m *Metrics) *Set {
	var (
		identity = identityDetector{}
		callRate = &callRateDetector{falseTrips: o.FalseTrips}
		session  = newSessionDetector(o.FalseSuspicions)
		crossRun = &crossRunDetector{}
		scope    = &scopeDetector{off: o.Unscoped, metrics: m}
		runaway  = &runawayDetector{}
	)
	// Findings that one call leads to stand in flyball.events in the first order, those that
	// close with their run in the second. Both are kept: a replay writes the same events.
	return NewSet(o, m,
		[]Detector{identity, callRate, session, crossRun, scope, runaway},
		[]Detector{session, scope, identity, crossRun, callRate, runaway})
}
