package layout

import (
	"go/ast"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Packages of detection and of enforcement communicate by commands in the log. They share
// only the few packages that name agents, calls and scopes.
var (
	detection = []string{"baselinestore", "curve", "detector", "engine", "feature", "journal", "learn", "model", "policy", "score", "stitch"}
	shared    = []string{"feature", "model/baseline", "model/scope"}
)

// sharedExceptions are the other packages of detection that packages of enforcement may
// import.
var sharedExceptions = map[string][]string{
	"enforce/api":       {"policy"}, // exceptions of the configuration and by command are one type
	"enforce/exception": {"policy"},
}

func TestDetectionAndEnforcementMeetInFewPackages(t *testing.T) {
	sources(t, false, func(path string, f *ast.File) {
		own, ok := strings.CutPrefix(path[:max(strings.LastIndexByte(path, '/'), 0)], "detect/")
		if !ok {
			return
		}
		folder, _, _ := strings.Cut(own, "/")
		for _, imp := range f.Imports {
			p, _ := strconv.Unquote(imp.Path.Value)
			to, ok := strings.CutPrefix(p, "flyball/detect/")
			if !ok {
				continue
			}
			target, _, _ := strings.Cut(to, "/")
			switch {
			case slices.Contains(detection, folder) && target == "enforce":
				t.Errorf("%s imports %s: detection knows nothing of enforcement", path, p)
			case folder == "enforce" && slices.Contains(detection, target) && !slices.Contains(shared, to) &&
				!slices.Contains(sharedExceptions[own], to):
				t.Errorf("%s imports %s: of detection, enforcement uses %v only", path, p, shared)
			}
		}
	})
}
