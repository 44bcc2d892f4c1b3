package learn

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"

	"flyball/detect/model/baseline"
)

// A caller chooses its paths, and so the names of routes, where nobody has declared them: a million taught calls can name a million.
const (
	// maxTaughtRoutes is how many routes of all peer groups a version knows by their names, maxTaughtNames the bytes of these: a
	// version has each several times, and must fit into a record of Kafka.
	maxTaughtRoutes = 20_000
	maxTaughtNames  = 2 << 20
	// otherRoutes is by how many names it knows the rest: with one, a run of many of them would look like a run on one route.
	otherRoutes = 256
)

// limitRoutes gives common names to the routes above the limit, and returns how many these are. Routes are kept in the order of how many
// runs use them: first those of agents with a name that somebody vouches for, then all.
func limitRoutes(runs []*baseline.TrainingRun) (left int) {
	type use struct{ vouched, all, last int }
	uses, bytes := map[string]use{}, 0
	for i, r := range runs {
		for _, name := range r.Routes {
			u := uses[name]
			if u.last == i+1 {
				continue
			}
			if u.last == 0 {
				bytes += len(name)
			}
			u.last = i + 1
			if u.all++; !baseline.IsAsserted(r.Agent) {
				u.vouched++
			}
			uses[name] = u
		}
	}
	if len(uses) <= maxTaughtRoutes && bytes <= maxTaughtNames {
		return 0
	}
	names := slices.SortedFunc(maps.Keys(uses), func(a, b string) int {
		u, v := uses[a], uses[b]
		return cmp.Or(cmp.Compare(v.vouched, u.vouched), cmp.Compare(v.all, u.all), cmp.Compare(a, b))
	})
	var common [otherRoutes]string
	for i := range common {
		common[i] = fmt.Sprintf("(other routes %d)", i)
	}
	kept := 0
	for bytes = 0; kept < maxTaughtRoutes && bytes+len(names[kept]) <= maxTaughtNames; kept++ {
		bytes += len(names[kept])
	}
	instead := make(map[string]string, len(names)-kept)
	for _, name := range names[kept:] {
		h := fnv.New32a()
		h.Write([]byte(name))
		instead[name] = common[h.Sum32()%otherRoutes]
	}
	for _, r := range runs {
		for i, name := range r.Routes {
			if other, isLeft := instead[name]; isLeft {
				r.Routes[i] = other
			}
		}
	}
	return len(instead)
}
