package mapping

import (
	"embed"
	"fmt"
	"slices"
	"strings"
	"sync"
)

//go:embed preset/*.yaml
var files embed.FS

// order is the order in which auto tries presets: the most specific first, the others by name.
var order = []string{"haproxy", "ingress_nginx", "traefik_clf", "agentgateway_text", "aws_alb", "aws_elb", "cloudfront", "apisix_text",
	"linkerd_text", "oauth2_proxy", "combined", "gin", "iis", "uvicorn"}

// last is the order of the presets that auto tries after all others, because their signs are general.
var last = []string{"ecs", "access_json"}

type preset struct {
	spec    *Spec
	program *Program
}

// load compiles the presets once. It panics on an error, because presets are part of the program.
var load = sync.OnceValue(func() map[string]preset {
	all := map[string]preset{}
	names, err := files.ReadDir("preset")
	if err != nil {
		panic(err)
	}
	base := func(name string) (*Spec, bool) {
		p, ok := all[name]
		return p.spec, ok
	}
	for _, derived := range []bool{false, true} { // a preset that is like another one is loaded after it
		for _, f := range names {
			text, err := files.ReadFile("preset/" + f.Name())
			if err != nil {
				panic(err)
			}
			if strings.Contains(string(text), "\nlike: ") != derived {
				continue
			}
			p, s, err := parse(f.Name(), text, base)
			if err != nil {
				panic(fmt.Sprintf("a preset of Flyball's own: %v", err))
			}
			all[p.Name] = preset{s, p}
		}
	}
	return all
})

// Presets returns the mappings that are part of Flyball, in the order in which auto tries them.
func Presets() []*Program {
	all := load()
	var out []*Program
	for _, name := range order {
		out = append(out, all[name].program)
	}
	var rest []*Program
	for name, p := range all {
		if !slices.Contains(order, name) && !slices.Contains(last, name) {
			rest = append(rest, p.program)
		}
	}
	slices.SortFunc(rest, func(a, b *Program) int { return strings.Compare(a.Name, b.Name) })
	out = append(out, rest...)
	for _, name := range last {
		out = append(out, all[name].program)
	}
	return out
}

// PresetNames returns the names of the presets, sorted.
func PresetNames() []string {
	var names []string
	for name := range load() {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Text returns the YAML of a preset, which an operator can copy and change.
func Text(name string) ([]byte, error) {
	b, err := files.ReadFile("preset/" + name + ".yaml")
	if err != nil {
		return nil, fmt.Errorf("%q is none of the presets: %s", name, strings.Join(PresetNames(), ", "))
	}
	return b, nil
}

// Compile compiles an operator's mapping. It may be like a preset.
func Compile(file string, text []byte) (*Program, error) {
	p, _, err := parse(file, text, func(name string) (*Spec, bool) {
		b, ok := load()[name]
		return b.spec, ok
	})
	if err == nil && slices.Contains(PresetNames(), p.Name) {
		return nil, fmt.Errorf("%s: name: %q is a preset's; choose another", file, p.Name)
	}
	return p, err
}
