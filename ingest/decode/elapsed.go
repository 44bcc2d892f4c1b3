package decode

import "strings"

// elapsed are the durations of an Envoy log that has nginx's names for them. Envoy writes whole milliseconds, nginx seconds with three
// digits, and the name does not show who wrote them.
type elapsed struct {
	request, upstream string
	envoy             bool // the record has a member that only Envoy writes
}

// setElapsed sets the durations whose unit the record shows. It returns false if a duration can be of either unit.
func (d *draft) setElapsed() bool {
	for _, e := range [...]struct {
		text string
		into *int64
	}{{d.elapsed.request, &d.call.DurationNs}, {d.elapsed.upstream, &d.call.UpstreamNs}} {
		if e.text == "" || *e.into > 0 {
			continue
		}
		unit := int64(1e9)
		if strings.IndexByte(e.text, '.') < 0 {
			ns, n, _ := parseList(e.text, 1)
			switch {
			case n > 0 && ns == 0: // the same in every unit
			case d.elapsed.envoy:
				unit = 1e6
			case n > 0:
				return false
			}
		}
		if ns, n, _ := parseList(e.text, unit); n > 0 && ns <= maxDuration {
			*e.into = ns
		}
	}
	return true
}
