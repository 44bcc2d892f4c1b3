package doctor

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

func kafka(f *Facts) []Finding {
	if k := f.Kafka; k.Error != "" {
		return []Finding{{checkKafka, Wrong, "kafka_away", k.Error,
			"start the broker (flyball up starts the embedded one), or correct kafka.brokers, kafka.tls and kafka.sasl"}}
	}
	return good(checkKafka, f.Kafka.Address+" answers")
}

func topics(f *Facts) []Finding {
	if f.Kafka.Error != "" {
		return unknown(checkTopics, "Kafka does not answer", "")
	}
	var out []Finding
	add := func(reason, found, do string) { out = append(out, Finding{checkTopics, Wrong, reason, found, do}) }
	for _, t := range f.Kafka.Topics {
		switch {
		case t.Missing && t.Input:
			add("input_missing", "kafka.inputs names "+t.Name+", and there is no such topic",
				"create it, or correct the name: what a gateway's shipper writes to, Flyball must read")
		case t.Missing:
			add("topic_missing", "there is no topic "+t.Name, "flyball migrate creates it")
		case t.Want > 0 && t.Have != t.Want:
			add("partitions_differ", fmt.Sprintf("%s has %d partitions, kafka.partitions asks for %d", t.Name, t.Have, t.Want),
				"set kafka.partitions to what the topics have; schema/README.md says how to change their number")
		}
		if len(t.Drift) > 0 {
			add("topic_settings_differ", t.Name+": "+strings.Join(t.Drift, "; "),
				"set them in Kafka as flyball migrate --plan lists them")
		}
	}
	return orGood(checkTopics, out, fmt.Sprintf("%d topics are as documented", len(f.Kafka.Topics)))
}

func acls(f *Facts) []Finding {
	k := f.Kafka
	switch {
	case k.Error != "":
		return unknown(checkACLs, "Kafka does not answer", "")
	case len(k.Denied) > 0:
		return []Finding{{checkACLs, Wrong, "not_authorized", "the login of kafka.sasl may not: " + strings.Join(k.Denied, ", "),
			"grant it read, write, describe and alter on flyball.*, read on the inputs, and read on groups flyball-*"}}
	case k.ACLError != "":
		return unknown(checkACLs, k.ACLError, "")
	case !k.Authorizer:
		return good(checkACLs, "the broker has no authorizer, or does not show it to this login")
	}
	return good(checkACLs, "this login may do what Flyball does")
}

// oldestVersion is the oldest version of ClickHouse on which the tables are tested, as year and month.
const oldestVersion = 25_03

func clickHouse(f *Facts) []Finding {
	c := f.ClickHouse
	switch {
	case c.Error != "":
		return []Finding{{checkClickHouse, Wrong, "clickhouse_away", c.Error,
			"start it (flyball up starts the embedded one), or correct clickhouse.addr, its user and its password; trips go on meanwhile"}}
	case c.NotMigrated:
		return []Finding{{checkClickHouse, Wrong, "not_migrated", "the database does not have the tables of this version",
			"flyball migrate"}}
	case versionNumber(c.Version) < oldestVersion:
		return []Finding{{checkClickHouse, Wrong, "version_too_old", "ClickHouse " + c.Version,
			fmt.Sprintf("upgrade it to %d.%d or newer", oldestVersion/100, oldestVersion%100)}}
	}
	return good(checkClickHouse, "version "+c.Version+" at "+c.Address)
}

// versionNumber returns year and month of a version: 26.7.2.1 is 26_07.
func versionNumber(v string) int {
	parts := strings.Split(v, ".")
	if len(parts) < 2 {
		return 0
	}
	year, err := strconv.Atoi(parts[0])
	month, err2 := strconv.Atoi(parts[1])
	if err != nil || err2 != nil {
		return 0
	}
	return year*100 + month
}

func rights(f *Facts) []Finding {
	c := f.ClickHouse
	switch {
	case c.Error != "":
		return unknown(checkRights, "ClickHouse does not answer", "")
	case len(c.Denied) > 0:
		return []Finding{{checkRights, Wrong, "rights_missing", "clickhouse.user may not: " + strings.Join(c.Denied, ", "),
			"grant it SELECT, INSERT, ALTER, CREATE and DROP on the database, and SELECT on system"}}
	}
	return good(checkRights, "this user may read the tables")
}

func retention(f *Facts) []Finding {
	c := f.ClickHouse
	switch {
	case c.Error != "" || c.NotMigrated:
		return unknown(checkRetention, "the tables cannot be read", "")
	case c.RetentionError != "":
		return unknown(checkRetention, c.RetentionError, "")
	case c.WantCalls != c.HaveCalls || c.WantRuns != c.HaveRuns:
		return []Finding{{checkRetention, Wrong, "retention_differs",
			fmt.Sprintf("the tables keep calls %s and runs %s, the configuration says %s and %s",
				days(c.HaveCalls), days(c.HaveRuns), days(c.WantCalls), days(c.WantRuns)),
			"restart the role store or run flyball migrate: it applies clickhouse.retention"}}
	}
	return good(checkRetention, "calls are kept "+days(c.HaveCalls)+", runs "+days(c.HaveRuns))
}

// merges says whether days that are over are one part each: a question looks at every part.
func merges(f *Facts) []Finding {
	c := f.ClickHouse
	u := c.Unmerged
	waiting := fmt.Sprintf("%d days that are over are in several parts (%s)", u.Days, size(u.Bytes))
	switch {
	case c.Error != "" || c.NotMigrated:
		return unknown(checkMerges, "the tables cannot be read", "")
	case c.UnmergedError != "":
		return unknown(checkMerges, c.UnmergedError, "")
	case u.Short():
		return []Finding{{checkMerges, Wrong, "no_room_to_merge", fmt.Sprintf("%s, and the largest needs as much free space as it has: %s; "+
			"free: %s", waiting, size(u.Largest), size(u.Free)), "free space on ClickHouse's disk, or shorten clickhouse.retention: until then " +
			"questions about these days cost more, and replaced rows of them stay"}}
	case u.Days > 0 || u.Parts > 0:
		return good(checkMerges, fmt.Sprintf("%s, and %d parts wait for an index: ClickHouse works on them in the background, and "+
			"questions about them cost more until then", waiting, u.Parts))
	}
	return good(checkMerges, "every day that is over is one part")
}

func days(n int) string {
	if n == 0 {
		return "for ever"
	}
	return fmt.Sprintf("%d days", n)
}

// maxSkew is how far a clock may be from this machine's. Event times up to minutes are tolerated; more than this makes pages and
// decisions late, and hides itself in figures.
const maxSkew = 5 * time.Second

func clocks(f *Facts) []Finding {
	var out []Finding
	var known []string
	for _, c := range []Clock{f.Kafka.Clock, f.ClickHouse.Clock, f.Process.Clock} {
		switch {
		case !c.Known && c.Error == "":
		case !c.Known:
			out = append(out, unknown(checkClocks, c.Of+": "+c.Error, "")...)
		case c.Ahead.Abs() > maxSkew:
			direction := "ahead of"
			if c.Ahead < 0 {
				direction = "behind"
			}
			out = append(out, Finding{checkClocks, Wrong, "clock_differs", fmt.Sprintf("the clock of %s is %s %s this machine's", c.Of,
				c.Ahead.Abs().Round(time.Second), direction),
				"synchronise both with NTP: times of calls, breakers and tokens are compared"})
		default:
			known = append(known, c.Of)
		}
	}
	if len(out)+len(known) == 0 {
		return unknown(checkClocks, "neither Kafka, ClickHouse nor the process told its time", "")
	}
	return orGood(checkClocks, out, "compared with "+strings.Join(known, ", "))
}

// Bounds of free room.
const (
	minDays  = 7
	minShare = .05
)

func disk(f *Facts) []Finding {
	d := f.Disk
	if d.Error != "" {
		return unknown(checkDisk, d.Error, "")
	}
	free := "free: " + size(d.Free) + " of " + size(d.Total)
	room := float64(d.Free) - float64(d.Kept)
	switch {
	case room < 0:
		return []Finding{{checkDisk, Wrong, "disk_full", free + ", and the broker keeps " + size(d.Kept) + " free: it refuses records",
			"free space on the disk of " + d.Dir}}
	case d.GrowthPerDay > 0 && room/d.GrowthPerDay < minDays:
		return []Finding{{checkDisk, Wrong, "disk_grows", fmt.Sprintf("%s, and about %s come in a day: enough for %.1f days", free,
			size(uint64(d.GrowthPerDay)), room/d.GrowthPerDay), "shorten clickhouse.retention, or enlarge the disk of " + d.Dir}}
	case float64(d.Free) < minShare*float64(d.Total):
		return []Finding{{checkDisk, Wrong, "disk_low", free, "free space on the disk of " + d.Dir}}
	}
	return good(checkDisk, free)
}

// size formats bytes.
func size(n uint64) string {
	switch {
	case n >= 10<<30:
		return fmt.Sprintf("%d GiB", n>>30)
	case n >= 10<<20:
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d KiB", n>>10)
}
