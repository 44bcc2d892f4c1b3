package clickhouse

import (
	"context"
	"fmt"
	"slices"
	"strconv"
)

// Damage is what ClickHouse lost of one table: the table itself, or parts that it could not read and put aside.
type Damage struct {
	Table   string
	Missing bool // the table was there after an earlier migration, and is not now
	// Parts are the names of the parts that were put aside, and Bytes their size on disk. How many rows they held is not known.
	Parts []string
	Bytes int64
}

func (d *Damage) String() string {
	if d.Missing {
		return "table " + d.Table + " is missing"
	}
	return fmt.Sprintf("%d parts of table %s cannot be read (%d bytes, in its folder detached): %s", len(d.Parts), d.Table, d.Bytes,
		d.Parts[:min(len(d.Parts), 5)])
}

// FindDamage compares the database with what earlier migrations made, before Migrate makes missing tables anew. It finds nothing in a
// database without tables. known are names of parts that were found before; see partMark.
func FindDamage(ctx context.Context, c *Conn, t Target, known map[string]bool) ([]Damage, error) {
	steps, err := Migrate(ctx, c, MigrateOptions{Target: t, Plan: true})
	if err != nil {
		return nil, err
	}
	found := map[string]*Damage{}
	for _, s := range steps {
		if s.Why == missingStep && isTable(s.Name) {
			found[s.Name] = &Damage{Table: s.Name, Missing: true}
		}
	}
	rows, err := ask(ctx, c, "SELECT table, name, toString(bytes_on_disk) FROM system.detached_parts WHERE database = "+literal(t.Database)+
		" AND (startsWith(reason, 'broken') OR reason = 'unexpected') ORDER BY table, name")
	if err != nil {
		return nil, fmt.Errorf("look for broken parts of %s: %w", t.Database, err)
	}
	for _, r := range rows {
		if len(r) != 3 || !isTable(r[0]) || known[partMark(r[0], r[1])] {
			continue
		}
		d := found[r[0]]
		if d == nil {
			d = &Damage{Table: r[0]}
			found[r[0]] = d
		}
		n, _ := strconv.ParseInt(r[2], 10, 64)
		d.Parts, d.Bytes = append(d.Parts, r[1]), d.Bytes+n
	}
	out := make([]Damage, 0, len(found))
	for _, name := range sortedNames(found) {
		out = append(out, *found[name])
	}
	return out, nil
}

// partMark is the name under which a part that was put aside is noted, so that it is repaired once.
func partMark(table, part string) string { return "damage " + table + "/" + part }

// KnownDamage returns the marks of the parts that were noted.
func KnownDamage(ctx context.Context, c *Conn, t Target) (map[string]bool, error) {
	out := map[string]bool{}
	has, err := ask(ctx, c, "SELECT name FROM system.tables WHERE database = "+literal(t.Database)+" AND name = 'migrations'")
	if err != nil || len(has) == 0 {
		return out, err
	}
	rows, err := ask(ctx, c, "SELECT DISTINCT name FROM "+rendering{Target: t}.Name("migrations")+" WHERE startsWith(name, 'damage ')")
	for _, r := range rows {
		out[r[0]] = true
	}
	return out, err
}

// NoteDamage notes d in the record of migrations: its parts are not repaired again, and reports name it unless whole is set, which means
// that all rows that were ever written are read again.
func NoteDamage(ctx context.Context, c *Conn, t Target, d *Damage, whole bool) error {
	why := "rows may be missing"
	if whole {
		why = "all rows read again"
	}
	marks := make([]string, 0, len(d.Parts)+1)
	for _, part := range d.Parts {
		marks = append(marks, partMark(d.Table, part))
	}
	if d.Missing {
		marks = append(marks, partMark(d.Table, "the table"))
	}
	for _, m := range marks {
		err := c.RunStatement(ctx, fmt.Sprintf("INSERT INTO %s (version, number, name, sum, why) SELECT %d, 0, %s, '', %s",
			rendering{Target: t}.Name("migrations"), Version, literal(m), literal(why)))
		if err != nil {
			return err
		}
	}
	return nil
}

// ForgetProgress makes the store insert again what it reads from the start of the journal. Rows that are there already merge.
func ForgetProgress(ctx context.Context, c *Conn, t Target) error {
	has, err := ask(ctx, c, "SELECT name FROM system.tables WHERE database = "+literal(t.Database)+" AND name = 'progress'")
	if err != nil || len(has) == 0 {
		return err
	}
	return c.RunStatement(ctx, "TRUNCATE TABLE "+rendering{Target: t}.Name("progress"))
}

// isTable reports whether an object of the schema holds rows that were read from Kafka.
func isTable(name string) bool {
	return slices.ContainsFunc(Tables(), func(t TableSpec) bool { return t.Name == name && name != "progress" })
}

func sortedNames(m map[string]*Damage) []string {
	var out []string
	for name := range m {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}
