package baseline

import (
	"cmp"
	"reflect"
	"slices"
	"strings"
)

// A new version of an agent opens a baseline of its own beside the agent's: what
// is counted by agent is counted by agent and version too, for the present version
// and the one before. The parent of a version is its agent: a version's counts hold
// so many runs of the agent's others as far as there are, scaled. Of a version that
// is not kept, those are all: about a third of what the peers weigh by, so that what
// changed is measured by what the peers do more than by what the agent used to.
const (
	versionRuns = 10
	// MostVersions of an agent are kept: callers can invent them.
	MostVersions = 2
)

// separator cannot stand in a name that came through ingest as text for people.
const separator = "\x1f"

// VersionKey is the name under which the counts of a version are kept; "" is any
// version that is not.
func VersionKey(agent, version string) string { return agent + separator + version }

// AgentOf is the agent of a key that may be of one of its versions.
func AgentOf(key string) string {
	agent, _, _ := strings.Cut(key, separator)
	return agent
}

// IsPart reports whether a key is of a version and not of an agent.
func IsPart(key string) bool { return strings.Contains(key, separator) }

// KeyFor is the name by which a run of a version of an agent is compared, and why:
// by the agent's own counts where no version is stated, where only this one ever
// taught, or where the body keeps no versions; by those of the version where it is
// kept; else by the agent's, weighed down.
func KeyFor(b *Body, agent, version string) (key, why string) {
	if b == nil || version == "" {
		return agent, WhyTaught
	}
	kept := b.Versions[agent]
	if len(kept) == 0 {
		return agent, WhyTaught
	}
	for i := range kept {
		if kept[i].Version != version {
			continue
		}
		key, why = VersionKey(agent, version), WhyTaught
		switch {
		case !b.Has(key):
			return agent, WhyTaught
		case kept[i].Runs < Enough:
			why = WhyNewVersion
		}
		return key, why
	}
	if key = VersionKey(agent, ""); b.Has(key) {
		return key, WhyNewVersion
	}
	return agent, WhyNewVersion
}

// parts is what a body learns by version until it is finished.
type parts struct {
	of   *Body // the counts, by VersionKey
	seen map[string]map[string]*VersionLife
	runs map[string]uint64 // of an agent, whatever their version
}

func (b *Body) learnVersion(r *Run) {
	if b.parts == nil {
		b.parts = &parts{of: New(b.Tenant), seen: map[string]map[string]*VersionLife{}, runs: map[string]uint64{}}
	}
	p := b.parts
	p.runs[r.Agent]++
	if r.Version == "" {
		return
	}
	of := p.seen[r.Agent]
	if of == nil {
		of = map[string]*VersionLife{}
		p.seen[r.Agent] = of
	}
	v := of[r.Version]
	if v == nil {
		v = &VersionLife{Version: r.Version}
		of[r.Version] = v
	}
	v.Runs++
	v.SeenAt = max(v.SeenAt, r.At)
	own := *r
	own.Agent, own.Version = VersionKey(r.Agent, r.Version), ""
	p.of.Learn(&own)
}

// finishVersions keeps the latest versions of each agent, and the counts for any other.
func (b *Body) finishVersions() {
	p := b.parts
	b.parts = nil
	if p == nil || len(p.seen) == 0 {
		return
	}
	p.of.Finish()
	b.Versions = map[string][]VersionLife{}
	for agent, seen := range p.seen {
		var list []VersionLife
		for _, v := range seen {
			list = append(list, *v)
		}
		slices.SortFunc(list, func(x, y VersionLife) int {
			return cmp.Or(cmp.Compare(y.SeenAt, x.SeenAt), cmp.Compare(y.Version, x.Version))
		})
		list = list[:min(len(list), MostVersions)]
		b.Versions[agent] = list
		all := float64(p.runs[agent])
		b.blend(agent, VersionKey(agent, ""), nil, min(1, versionRuns/all))
		for _, v := range list {
			if rest := all - float64(v.Runs); rest > 0 {
				b.blend(agent, VersionKey(agent, v.Version), p.of, min(1, versionRuns/rest))
			}
		}
	}
}

// blend keeps, under a key of an agent's part, what the part has by itself and a
// share of the agent's rest. What is no sum of numbers is left to the agent.
func (b *Body) blend(agent, key string, parts *Body, share float64) {
	own := map[string]reflect.Value{}
	if parts != nil {
		parts.own(func(path string, of reflect.Value) { own[path] = of.MapIndex(reflect.ValueOf(key)) })
	}
	b.own(func(path string, of reflect.Value) {
		all := of.MapIndex(reflect.ValueOf(agent))
		kind := of.Type().Elem().Kind()
		if !all.IsValid() || !summed(kind) || strings.HasPrefix(path, "pace.") {
			return // how fast an agent calls is asked of the agent, whatever its version
		}
		out := reflect.New(all.Type()).Elem()
		mixed(out, own[path], all, share)
		of.SetMapIndex(reflect.ValueOf(key), out)
	})
}

// summed are the kinds of what is counted in numbers.
func summed(k reflect.Kind) bool {
	return k == reflect.Struct || k == reflect.Array || k == reflect.Slice || k == reflect.Float64
}

// mixed sets out to own + share·(all − own), number by number.
func mixed(out, own, all reflect.Value, share float64) {
	switch all.Kind() {
	case reflect.Float64:
		x := 0.0
		if own.IsValid() {
			x = own.Float()
		}
		out.SetFloat(x + share*(all.Float()-x))
	case reflect.Slice: // what one of them has no room for is 0 of it
		n := all.Len()
		if own.IsValid() {
			n = max(n, own.Len())
		}
		out.Set(reflect.MakeSlice(all.Type(), n, n))
		of := func(v reflect.Value, i int) float64 {
			if !v.IsValid() || i >= v.Len() {
				return 0
			}
			return v.Index(i).Float()
		}
		for i := range n {
			out.Index(i).SetFloat(of(own, i) + share*(of(all, i)-of(own, i)))
		}
	case reflect.Array:
		for i := range all.Len() {
			o := reflect.Value{}
			if own.IsValid() {
				o = own.Index(i)
			}
			mixed(out.Index(i), o, all.Index(i), share)
		}
	case reflect.Struct:
		for i := range all.NumField() {
			o := reflect.Value{}
			if own.IsValid() {
				o = own.Field(i)
			}
			mixed(out.Field(i), o, all.Field(i), share)
		}
	}
}
