package baseline

import (
	"reflect"
	"strings"
)

// Parts of an agent are its versions and the types of its tasks. What is counted by
// agent is counted by agent and part too, for those that are kept. The parent of a
// part is its agent: a part's counts hold so many runs of the agent's others as far
// as there are, scaled.
const partRuns = 10

// separator cannot stand in a name that came through ingest as text for people.
const separator = "\x1f"

// Kinds of parts, as they stand in a key before the name of the part.
const (
	ofVersion = "v"
	ofTask    = "t"
)

func partKey(agent, kind, name string) string { return agent + separator + kind + name }

// AgentOf is the agent of a key that may be of one of its parts.
func AgentOf(key string) string {
	agent, _, _ := strings.Cut(key, separator)
	return agent
}

// IsPart reports whether a key is of a part of an agent and not of an agent.
func IsPart(key string) bool { return strings.Contains(key, separator) }

// DisplayName is a key for people.
func DisplayName(key string) string {
	agent, part, is := strings.Cut(key, separator)
	switch {
	case !is:
		return agent
	case part == ofVersion:
		return agent + ", a version that is not kept"
	case strings.HasPrefix(part, ofVersion):
		return agent + " version " + part[len(ofVersion):]
	}
	return agent + " task " + strings.TrimPrefix(part, ofTask)
}

// keysOf are the keys of an agent's parts.
func (b *Baseline) keysOf(agent string) []string {
	out := []string{VersionKey(agent, "")}
	for _, v := range b.Versions[agent] {
		out = append(out, VersionKey(agent, v.Version))
	}
	for _, t := range b.Tasks[agent] {
		out = append(out, TaskKey(agent, t.Type))
	}
	return out
}

// parts is what a body learns by one kind of part until it is finished.
type parts struct {
	kind string
	of   *Baseline // the counts, by key
	seen map[string]map[string]*seen
	runs map[string]uint64 // of an agent, whatever their part
}

// seen is what is known of a part.
type seen struct {
	name string
	runs uint64
	at   int64 // last call, Unix ns
}

func (b *Baseline) learnPart(at **parts, kind, name string, r *TrainingRun) {
	if *at == nil {
		*at = &parts{kind: kind, of: New(b.Tenant), seen: map[string]map[string]*seen{}, runs: map[string]uint64{}}
	}
	p := *at
	p.runs[r.Agent]++
	if name == "" {
		return
	}
	of := p.seen[r.Agent]
	if of == nil {
		of = map[string]*seen{}
		p.seen[r.Agent] = of
	}
	s := of[name]
	if s == nil {
		s = &seen{name: name}
		of[name] = s
	}
	s.runs++
	s.at = max(s.at, r.LastAt)
	own := *r
	own.Agent, own.Version, own.TaskType = partKey(r.Agent, kind, name), "", ""
	p.of.Learn(&own)
}

// keep blends the counts of a part that is kept with those of its agent; nothing is
// kept twice where the agent has no other runs.
func (b *Baseline) keep(p *parts, agent string, s *seen) {
	if rest := float64(p.runs[agent]) - float64(s.runs); rest > 0 {
		b.blend(agent, partKey(agent, p.kind, s.name), p.of, min(1, partRuns/rest))
	}
}

// blend keeps, under a key of an agent's part, what the part has by itself and a
// share of the agent's rest. What is no sum of numbers is left to the agent.
func (b *Baseline) blend(agent, key string, parts *Baseline, share float64) {
	own := map[string]reflect.Value{}
	if parts != nil {
		parts.own(func(path string, of reflect.Value) { own[path] = of.MapIndex(reflect.ValueOf(key)) })
	}
	b.own(func(path string, of reflect.Value) {
		all := of.MapIndex(reflect.ValueOf(agent))
		kind := of.Type().Elem().Kind()
		if !all.IsValid() || !summed(kind) || strings.HasPrefix(path, "pace.") {
			return // how fast an agent calls is asked of the agent, whatever it does
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
