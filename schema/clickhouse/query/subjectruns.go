package query

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"flyball/schema"
)

// maxSubjectRuns is the maximum number of runs of which a subject's calls are read by a list of these runs. The list has 40 bytes for each,
// and the engine refuses statements above 256 KiB, in which the traces (72 KB) and the held runs (78 KB) must have room, too.
const maxSubjectRuns = 2000

// ofRuns adds the condition for calls of some runs, at most maxSubjectRuns, each with the actor that its rows have. A statement names them
// once, however often it has the condition: see bind.
func (w *where) ofRuns(refs []runRef) error {
	if len(refs) == 0 {
		w.add("false")
		return nil
	}
	const size = len(schema.RunID{}) + 4
	list := make([]byte, 0, len(refs)*size)
	for i := range refs {
		id, err := schema.ParseRunID(refs[i].id)
		if err != nil {
			return err
		}
		list = binary.LittleEndian.AppendUint32(append(list, id[:]...), refs[i].actor)
	}
	w.names = fmt.Sprintf(`subject_runs AS (SELECT reinterpretAsUInt32(substring(run_and_actor, 17, 4)) AS subject_actor,
toUUID(UUIDNumToString(toFixedString(substring(run_and_actor, 1, 16), 16))) AS subject_run
FROM (SELECT substring(unhex('%s'), %d * arrayJoin(range(%d)) + 1, %d) AS run_and_actor))`,
		hex.EncodeToString(list), size, len(refs), size)
	w.add("(actor_hash, run_id) IN (SELECT subject_actor, subject_run FROM subject_runs)")
	return nil
}

// bind returns a database whose statements know the names that the conditions use.
func (w *where) bind(db DB) DB {
	if w.names == "" {
		return db
	}
	return withNames{db, "WITH " + w.names}
}

// withNames is a database whose statements begin with the definitions of some names.
type withNames struct {
	DB
	head string // from WITH to the end of the last definition
}

// Query executes a statement that may use the names.
func (w withNames) Query(ctx context.Context, sql string, args ...any) (driver.Rows, error) {
	return w.DB.Query(ctx, afterNames(w.head, sql), args...)
}

// afterNames returns a statement that begins with further definitions of names.
func afterNames(head, sql string) string {
	if rest, ok := strings.CutPrefix(sql, "WITH "); ok {
		return head + ", " + rest
	}
	return head + " " + sql
}
