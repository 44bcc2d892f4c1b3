package point

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"flyball/detect/enforce/ledger"
	"flyball/schema/wire"
)

// A point that is put back must not decide by a state that it reads in part.
func TestSnapshotOfTheNextVersionIsRead(t *testing.T) {
	next := fmt.Sprint("version ", ledger.SnapshotVersion+1)
	_, err := readSnapshot(fmt.Appendf(nil, `{"v":%d,"body":{"offset":7}}`, ledger.SnapshotVersion+1))
	if !errors.Is(err, wire.ErrNewerVersion) || !strings.Contains(err.Error(), next) || !strings.Contains(err.Error(), "upgrade this binary") {
		t.Errorf("%v", err)
	}
	for version := 1; version <= ledger.SnapshotVersion; version++ {
		if s, err := readSnapshot(fmt.Appendf(nil, `{"v":%d,"body":{"offset":7}}`, version)); err != nil || s.Offset != 7 {
			t.Errorf("version %d: %+v, %v", version, s, err)
		}
	}
}
