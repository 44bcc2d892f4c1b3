package scope

import "flyball/schema"

// minTaskRuns is the minimum number of runs with a logged task id for it to
// be the name of a task type and not of a single task.
const minTaskRuns = 3

// TaskType returns the task type of a run: the one that an orchestrator
// declared, else the logged task id if enough runs have the same id, else empty. runs
// returns the number of runs with an id. A caller cannot widen its scope by
// the task that it claims: see Guard.Assess.
func TaskType(declared *schema.Task, logged string, runs func(id string) int) string {
	switch {
	case declared != nil && declared.Type != "":
		return declared.Type
	case logged != "" && runs(logged) >= minTaskRuns:
		return logged
	}
	return ""
}

// TrustedTaskType returns the task type by which a run may be compared: the one that an
// orchestrator declared, else the logged id if a gateway or a token
// establishes it, else empty. A task that only the caller claims is not used, because the caller would choose the task
// type in which its calls are most usual.
func TrustedTaskType(declared, logged string, trust schema.Trust) string {
	switch {
	case declared != "":
		return declared
	case trust >= schema.TrustInfrastructure:
		return logged
	}
	return ""
}
