package config

import (
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"flyball/schema/wire"
)

// Disk configures the guard of the disks of the data folder and of ClickHouse. Below WarnFree it warns; below StopFree it also stops
// replays and back-fills, until there is a tenth more. It stops nothing else: below kafka.min_free_mib the embedded broker refuses
// records by itself.
type Disk struct {
	WarnFree Space `yaml:"warn_free"` // 10% of the disk, or 20GiB; 0: never
	StopFree Space `yaml:"stop_free"`
}

func defaultDisk() Disk { return Disk{WarnFree: Space{Percent: 10}, StopFree: Space{Percent: 5}} }

func (d Disk) validate(p *problems) {
	for key, s := range map[string]Space{"disk.warn_free": d.WarnFree, "disk.stop_free": d.StopFree} {
		if s.Percent >= 100 {
			p.add("%s: %s of a disk are never free", key, s)
		}
	}
	w, s := d.WarnFree, d.StopFree
	if w.Percent > 0 && s.Percent > w.Percent || w.Bytes > 0 && s.Bytes > w.Bytes {
		p.add("disk.stop_free is %s and disk.warn_free is %s: the warning must come first", s, w)
	}
}

// Space is an amount of a disk: percent of it, or bytes. The zero value is none.
type Space struct {
	Percent float64
	Bytes   int64
}

// Of returns the bytes of a disk with a total.
func (s Space) Of(total int64) int64 {
	if s.Percent > 0 {
		return int64(float64(total) * s.Percent / 100)
	}
	return s.Bytes
}

var spaceUnits = map[string]int64{"MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}

func (s Space) String() string {
	switch {
	case s.Percent > 0:
		return strconv.FormatFloat(s.Percent, 'g', -1, 64) + "%"
	case s.Bytes == 0:
		return "0"
	}
	for _, unit := range []string{"TiB", "GiB"} {
		if n := spaceUnits[unit]; s.Bytes%n == 0 {
			return strconv.FormatInt(s.Bytes/n, 10) + unit
		}
	}
	return strconv.FormatInt(s.Bytes>>20, 10) + "MiB"
}

// MarshalText writes the amount.
func (s Space) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

var spaceForm = regexp.MustCompile(`^([0-9]{1,8}(?:\.[0-9]{1,3})?)(%|MiB|GiB|TiB)$`)

// UnmarshalText reads an amount.
func (s *Space) UnmarshalText(b []byte) error {
	*s = Space{}
	if string(b) == "0" {
		return nil
	}
	m := spaceForm.FindStringSubmatch(string(b))
	if m == nil {
		return fmt.Errorf("%q is no amount of a disk such as 10%%, 500MiB, 20GiB or 1TiB, or 0", b)
	}
	n, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		return err
	}
	if m[2] == "%" {
		s.Percent = n
		return nil
	}
	s.Bytes = int64(n * float64(spaceUnits[m[2]]))
	return nil
}

// TopicRetention is for how long, and up to how many bytes of a partition, Flyball's own topics are kept. A key that is not set leaves
// an existing topic as it is. Topics that keep the newest record of each key have none.
type TopicRetention struct {
	Calls       TopicLimit `yaml:"calls"`   // not with the embedded broker, which deletes what was read
	Journal     TopicLimit `yaml:"journal"` // the same
	Events      TopicLimit `yaml:"events"`
	Commands    TopicLimit `yaml:"commands"`
	DeadLetters TopicLimit `yaml:"dead_letters"`
}

// TopicLimit bounds one topic; zero fields do not change it.
type TopicLimit struct {
	Days  Days  `yaml:"days"`
	Bytes Space `yaml:"bytes"` // of each partition
}

// minTopicDays are the least days of topics: what reads them must have time to.
var minTopicDays = map[string]int{wire.CallsTopic: 1, wire.JournalTopic: 1, wire.EventsTopic: 1, wire.CommandsTopic: 2,
	wire.DeadLettersTopic: 1}

// minTopicBytes is the least size of a partition that a limit names.
const minTopicBytes = 64 << 20

// Limits returns the limits by the name of the topic, without those that are not set.
func (r TopicRetention) Limits() map[string]TopicLimit {
	out := map[string]TopicLimit{}
	for topic, l := range r.all() {
		if l != (TopicLimit{}) {
			out[topic] = l
		}
	}
	return out
}

func (r TopicRetention) all() map[string]TopicLimit {
	return map[string]TopicLimit{wire.CallsTopic: r.Calls, wire.JournalTopic: r.Journal, wire.EventsTopic: r.Events,
		wire.CommandsTopic: r.Commands, wire.DeadLettersTopic: r.DeadLetters}
}

// key returns the key of a topic in the section.
func (TopicRetention) key(topic string) string {
	return "kafka.retention." + strings.ReplaceAll(strings.TrimPrefix(topic, "flyball."), "-", "_")
}

func (r TopicRetention) validate(p *problems, embedded bool) {
	for topic, l := range r.Limits() {
		key := r.key(topic)
		if embedded && (topic == wire.CallsTopic || topic == wire.JournalTopic) {
			p.add("%s is set and kafka.brokers is empty: the embedded broker deletes from this topic what every reader has read, and nothing "+
				"else; remove it", key)
		}
		if l.Days > 0 && int(l.Days) < minTopicDays[topic] {
			p.add("%s.days: %s is below %dd, the least time for readers", key, l.Days, minTopicDays[topic])
		}
		if l.Bytes.Percent > 0 || l.Bytes != (Space{}) && l.Bytes.Bytes < minTopicBytes {
			p.add("%s.bytes: %s is not a number of bytes of at least 64MiB", key, l.Bytes)
		}
	}
}

// SIEM configures where findings are written as events of the Open Cybersecurity Schema Framework. It is part of the role alert.
type SIEM struct {
	Topic  string `yaml:"topic"`  // a topic of yours, one JSON event a record; empty: none
	Syslog string `yaml:"syslog"` // tcp://HOST:PORT or tls://HOST:PORT, one CEF message each; empty: none
	TLS    TLS    `yaml:"tls"`    // of syslog
	// CallsPerSecond is how many calls are written to the topic at most, as API Activity; 0: none. Those above it are left out and counted.
	CallsPerSecond int `yaml:"calls_per_second"`
}

// maxCallsPerSecond bounds siem.calls_per_second.
const maxCallsPerSecond = 10_000

// Enabled reports whether events are written anywhere.
func (s SIEM) Enabled() bool { return s.Topic != "" || s.Syslog != "" }

func (s SIEM) validate(p *problems, inputs []Input) {
	if s.Topic != "" && !topicForm.MatchString(s.Topic) {
		p.add("siem.topic: %q is no name of a topic", s.Topic)
	}
	if strings.HasPrefix(s.Topic, "flyball.") {
		p.add("siem.topic: %q; names that begin with flyball. are Flyball's own", s.Topic)
	}
	for i, in := range inputs {
		if in.Topic == s.Topic {
			p.add("siem.topic and kafka.inputs[%d].topic are both %q: Flyball would read its own findings as calls", i, s.Topic)
		}
	}
	if s.Syslog != "" {
		u, err := url.Parse(s.Syslog)
		if err != nil || u.Scheme != "tcp" && u.Scheme != "tls" || u.Hostname() == "" || u.Port() == "" || u.Path != "" || u.User != nil {
			p.add("siem.syslog: %q is not tcp://HOST:PORT or tls://HOST:PORT", s.Syslog)
		} else if u.Scheme == "tcp" && s.TLS != (TLS{}) {
			p.add("siem.syslog is %q and siem.tls is set: write tls:// or remove siem.tls", s.Syslog)
		}
	}
	if s.CallsPerSecond < 0 || s.CallsPerSecond > maxCallsPerSecond {
		p.add("siem.calls_per_second: %d is not between 0 and %d", s.CallsPerSecond, maxCallsPerSecond)
	}
	if s.CallsPerSecond > 0 && s.Topic == "" {
		p.add("siem.calls_per_second is %d and siem.topic is empty: calls are written to the topic alone; set it, or remove "+
			"siem.calls_per_second", s.CallsPerSecond)
	}
	if s.Syslog == "" && s.TLS != (TLS{}) {
		p.add("siem.tls is set and siem.syslog is empty: it would be of no use; set one or remove the other")
	}
	s.TLS.validate(p, "siem.tls", false)
}

// Duration returns the days as a duration.
func (d Days) Duration() time.Duration { return time.Duration(d) * 24 * time.Hour }
