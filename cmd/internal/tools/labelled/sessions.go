package labelled

import (
	"path/filepath"
	"strings"

	"flyball/detect/feature"
	"flyball/detect/model/sharedcredential"
)

// SharedCredentialSessions are the runs of a folder's data sets as the model of shared
// credentials sees them; missing names the sets that the folder does not have. A person that a model plays (human_simulated) is neither
// kind and left out.
func SharedCredentialSessions(dir string, gateway bool) (out []*sharedcredential.LabelledSession, missing []string, err error) {
	for _, set := range CallerSets {
		runs, err := callerSessions(filepath.Join(dir, set), gateway)
		if err != nil {
			return nil, nil, err
		}
		if len(runs) == 0 {
			missing = append(missing, set)
		}
		for i := range runs {
			if r := &runs[i]; r.Kind != "human_simulated" {
				out = append(out, session(r))
			}
		}
	}
	return out, missing, nil
}

func session(r *CallerSession) *sharedcredential.LabelledSession {
	out := &sharedcredential.LabelledSession{ID: r.ID, Set: r.Set, Identity: r.Identity, Human: strings.HasPrefix(r.Kind, "human")}
	var run feature.RunMemory
	var call feature.Input
	for i := range r.Calls {
		feature.Extract(&r.Calls[i], &call)
		step := run.Add(&call)
		out.Calls = append(out.Calls, sharedcredential.FromCall(&r.Calls[i], &step))
	}
	return out
}
