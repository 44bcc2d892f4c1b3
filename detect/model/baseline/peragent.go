package baseline

import (
	"fmt"
	"reflect"
	"strings"
)

// own hands over every map of a body that is kept by agent: its name in JSON is
// agents, offsets or own, or it lies in one of byAgent. What counts are learned does not
// matter here, so that a new one is carried, forgotten and scaled like the others.
func (b *Baseline) own(each func(path string, of reflect.Value)) {
	ownOf(reflect.ValueOf(b).Elem(), "", each)
	for i, f := range b.byAgent() {
		for group, within := range f.Within {
			each(fmt.Sprint("finals ", i, " ", group), reflect.ValueOf(within))
		}
	}
}

// byAgent are the finals that are kept by agent and not by route.
func (b *Baseline) byAgent() []*RunCountDistribution {
	return []*RunCountDistribution{&b.IdenticalCalls, &b.Distinct, &b.Switches, &b.Irreversible, &b.Parallel, &b.AcrossRuns.Identical, &b.AcrossRuns.Deletions, &b.AcrossRuns.Retries}
}

func ownOf(v reflect.Value, path string, each func(string, reflect.Value)) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if !f.IsExported() {
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Type.Kind() == reflect.Map && (name == "agents" || name == "offsets" || name == "own"):
			each(path+name, v.Field(i))
		case f.Type.Kind() == reflect.Struct:
			ownOf(v.Field(i), path+name+".", each)
		case f.Type.Kind() == reflect.Pointer && f.Type.Elem().Kind() == reflect.Struct && !v.Field(i).IsNil():
			ownOf(v.Field(i).Elem(), path+name+".", each)
		}
	}
}

// Forget takes an agent's counts away.
func (b *Baseline) Forget(agent string) {
	b.own(func(_ string, of reflect.Value) {
		if !of.IsNil() {
			of.SetMapIndex(reflect.ValueOf(agent), reflect.Value{})
		}
	})
}

// Carry takes an agent's counts over as another body has them: what this one
// learned of the agent by itself is gone. Nothing of either is changed later, so
// they are shared.
func (b *Baseline) Carry(from *Baseline, agent string) {
	b.Forget(agent)
	mine := b.byAgent()
	for i, f := range from.byAgent() {
		for group, within := range f.Within {
			if _, counted := within[agent]; counted && mine[i].Within[group] == nil {
				if mine[i].Within == nil {
					mine[i].Within = map[string]map[string]RunCounts{}
				}
				mine[i].Within[group] = map[string]RunCounts{}
			}
		}
	}
	key, there := reflect.ValueOf(agent), map[string]reflect.Value{}
	from.own(func(path string, of reflect.Value) { there[path] = of.MapIndex(key) })
	b.own(func(path string, of reflect.Value) {
		if v := there[path]; v.IsValid() {
			if of.IsNil() {
				of.Set(reflect.MakeMap(of.Type()))
			}
			of.SetMapIndex(key, v)
		}
	})
}

// Has reports whether anything is counted of an agent.
func (b *Baseline) Has(agent string) bool {
	_, ok := b.Agents[agent]
	return ok
}

// CopyAgent is Carry of an agent and of its parts.
func (b *Baseline) CopyAgent(from *Baseline, agent string) {
	for _, key := range append(b.keysOf(agent), from.keysOf(agent)...) {
		b.Carry(from, key)
	}
	b.Carry(from, agent)
	carryList(&b.Versions, from.Versions, agent)
	carryList(&b.Tasks, from.Tasks, agent)
}

func carryList[T any](into *map[string][]T, from map[string][]T, agent string) {
	delete(*into, agent)
	if list := from[agent]; len(list) > 0 {
		if *into == nil {
			*into = map[string][]T{}
		}
		(*into)[agent] = list
	}
}
