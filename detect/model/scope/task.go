package scope

import "flyball/schema"

// minTaskRuns is in how many runs a logged task id must have been seen to
// be the name of a kind of task, and not of one occasion.
const minTaskRuns = 3

// TaskType is the kind of task that a run carries out: the one that an orchestrator
// declared, else the id that was logged where that id comes back, else none. runs
// says in how many runs an id was seen. A caller that names a task gets no wider
// scope by it: see Guard.Answer.
func TaskType(declared *schema.Task, logged string, runs func(id string) int) string {
	switch {
	case declared != nil && declared.Type != "":
		return declared.Type
	case logged != "" && runs(logged) >= minTaskRuns:
		return logged
	}
	return ""
}

// TrustedTaskType is the type of task that a run may be compared by: the one that an
// orchestrator declared, else the id that was logged, where a gateway or a token
// vouches for it. One that the caller only asserts is none: it would choose by it what
// is usual, and so the laxest of what its agent does.
func TrustedTaskType(declared, logged string, trust schema.Trust) string {
	switch {
	case declared != "":
		return declared
	case trust >= schema.TrustInfrastructure:
		return logged
	}
	return ""
}
