package clickhouse

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"flyball/schema"
)

// heldCopy is how rows of a run come into a held table.
type heldCopy struct {
	into, from string // tables
	final      bool   // rows of from replace each other
	where      string // further condition; %s: the database and the condition for the rows of the run
}

// heldCopies are the copies of the rows of a run, in this order. Touches lie by resource: they are looked up by the
// resources of the calls that were copied before.
var heldCopies = []heldCopy{
	{into: HeldCallsTable.name, from: LegacyCallsTable.name, final: true},
	{into: HeldCallsTable.name, from: CallsTable.name, final: true},
	{into: HeldRunsTable.name, from: LegacyRunsTable.name, final: true},
	{into: HeldRunsTable.name, from: RunsTable.name, final: true},
	{into: HeldTouchesTable.name, from: LegacyTouchesTable.name, where: heldResources},
	{into: HeldTouchesTable.name, from: TouchesTable.name, where: heldResources},
	{into: HeldScoresTable.name, from: ScoresTable.name, final: true},
	{into: HeldFindingsTable.name, from: FindingsTable.name, final: true},
	{into: HeldDecisionsTable.name, from: DecisionsTable.name, final: true},
}

const heldResources = " AND resource IN (SELECT arrayJoin(resources) FROM %[1]s WHERE %[2]s)"

// HeldTables are the names of the tables with copies of the rows of held runs.
func HeldTables() []string {
	return []string{HeldCallsTable.name, HeldRunsTable.name, HeldTouchesTable.name, HeldScoresTable.name, HeldFindingsTable.name,
		HeldDecisionsTable.name}
}

// CopyHeld copies the rows of a run into the held tables, as far as these do not have them as they are. It returns the
// number of copied rows. It can be repeated, also by several processes at once.
func CopyHeld(ctx context.Context, c *Conn, tenant string, run schema.RunID) (rows uint64, err error) {
	r := rendering{Target: Target{Database: c.Database()}}
	live, err := ask(ctx, c, "SELECT name FROM system.tables WHERE database = "+literal(c.Database()))
	if err != nil {
		return 0, fmt.Errorf("hold run %s: %w", run, err)
	}
	exists := map[string]bool{}
	for _, t := range live {
		exists[t[0]] = true
	}
	ofRun := rowsOfRun(tenant, run)
	for _, h := range heldCopies {
		if !exists[h.from] {
			continue
		}
		from, err := tableNamed(h.from)
		if err != nil {
			return rows, err
		}
		names := make([]string, len(from.Columns))
		for i, s := range from.Columns {
			names[i] = quote(s.Name)
		}
		columns := strings.Join(names, ", ")
		final := ""
		if h.final {
			final = " FINAL"
		}
		where := ofRun
		if h.where != "" {
			where += fmt.Sprintf(h.where, r.Name(HeldCallsTable.name), ofRun)
		}
		missing := fmt.Sprintf("FROM %s%s WHERE %s AND cityHash64(%s) NOT IN (SELECT cityHash64(%s) FROM %s%s WHERE %s)", r.Name(h.from), final,
			where, columns, columns, r.Name(h.into), final, ofRun)
		text, err := c.QueryText(ctx, "SELECT count() "+missing)
		if err != nil {
			return rows, fmt.Errorf("hold run %s: rows of %s: %w", run, h.from, err)
		}
		n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 64)
		if err != nil {
			return rows, fmt.Errorf("hold run %s: rows of %s: %w", run, h.from, err)
		}
		if n == 0 {
			continue
		}
		insert := fmt.Sprintf("INSERT INTO %s (%s) SELECT %s %s SETTINGS distributed_foreground_insert = 1, max_insert_threads = 1, "+
			"max_threads = 2, max_block_size = 8192, min_insert_block_size_rows = 65536, min_insert_block_size_bytes = 67108864",
			r.Name(h.into), columns, columns, missing)
		if err := c.RunStatement(ctx, insert); err != nil {
			return rows, fmt.Errorf("hold run %s: copy rows of %s: %w", run, h.from, err)
		}
		rows += n
	}
	return rows, nil
}

// DropHeld deletes the rows of a run from the held tables, and returns when they are deleted.
func DropHeld(ctx context.Context, c *Conn, t Target, tenant string, run schema.RunID) error {
	for _, table := range HeldTables() {
		if err := DeleteRows(ctx, c, t, table, rowsOfRun(tenant, run)); err != nil {
			return fmt.Errorf("release run %s: %w", run, err)
		}
	}
	return nil
}

// CountHeldRows returns the number of rows of a run in the held tables, by table.
func CountHeldRows(ctx context.Context, c *Conn, tenant string, run schema.RunID) (n uint64, err error) {
	r := rendering{Target: Target{Database: c.Database()}}
	for _, table := range HeldTables() {
		k, err := countRows(ctx, c, r.Target, table, rowsOfRun(tenant, run))
		if err != nil {
			return n, fmt.Errorf("rows of the held run %s: %w", run, err)
		}
		n += k
	}
	return n, nil
}

func rowsOfRun(tenant string, run schema.RunID) string {
	return "tenant = " + literal(tenant) + " AND run_id = toUUID(" + literal(run.String()) + ")"
}

// subqueries makes a cluster execute the subqueries of a condition once and send their results to the shards. Otherwise it refuses a
// subquery on a distributed table.
const subqueries = " SETTINGS distributed_product_mode = 'global'"

// countRows returns the number of stored rows of a table that meet a condition in SQL, repeats included.
func countRows(ctx context.Context, c *Conn, t Target, table, condition string) (uint64, error) {
	if t.Database == "" {
		t.Database = c.Database()
	}
	text, err := c.QueryText(ctx, "SELECT count() FROM "+rendering{Target: t}.Name(table)+" WHERE "+condition+subqueries)
	if err != nil {
		return 0, fmt.Errorf("count rows of %s: %w", table, err)
	}
	return strconv.ParseUint(strings.TrimSpace(text), 10, 64)
}

// DeleteRows deletes the rows of a table that meet a condition in SQL, on all shards and replicas, and returns when the parts with them
// have been rewritten: the rows are not only hidden. Rows that are inserted meanwhile may stay.
func DeleteRows(ctx context.Context, c *Conn, t Target, table, condition string) error {
	if t.Database == "" {
		t.Database = c.Database()
	}
	r := rendering{Target: t}
	err := c.RunStatement(ctx, "ALTER TABLE "+r.Table(table)+" DELETE WHERE "+condition+" SETTINGS mutations_sync = 2")
	if err != nil {
		return fmt.Errorf("delete rows of %s: %w", table, err)
	}
	return nil
}
