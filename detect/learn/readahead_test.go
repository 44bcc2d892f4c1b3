package learn

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// The results are taken in the order of the parts, whichever is read first, and no more are read at a time than said.
func TestSlicesAreCountedInTheOrderInWhichTheyAreRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for atATime := 1; atATime <= 3; atATime++ {
			for n := range 5 {
				var running, most atomic.Int64
				var got []int
				err := readAhead(t.Context(), n, atATime, func(_ context.Context, i int) (int, error) {
					most.Store(max(most.Load(), running.Add(1)))
					defer running.Add(-1)
					time.Sleep(time.Duration(10-i) * time.Second)
					return 10 * i, nil
				}, func(i, v int) error {
					if v != 10*i {
						return fmt.Errorf("part %d: %d", i, v)
					}
					got = append(got, i)
					return nil
				})
				if err != nil || len(got) != n || int(most.Load()) > min(atATime, n) {
					t.Errorf("%d parts, %d at a time: %v, %v, %d at a time", n, atATime, got, err, most.Load())
				}
				for i, part := range got {
					if part != i {
						t.Errorf("%d at a time: taken in the order %v", atATime, got)
					}
				}
			}
		}
	})
}

// An error ends the reads that are under way, and nothing is taken after it.
func TestFailedSliceLeavesStatementsRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failed := errors.New("failed")
		for name, of := range map[string]struct{ read, take int }{"read": {1, -1}, "take": {-1, 1}} {
			var running atomic.Int64
			taken := 0
			err := readAhead(t.Context(), 5, 2, func(ctx context.Context, i int) (int, error) {
				running.Add(1)
				defer running.Add(-1)
				if i == of.read {
					return 0, failed
				}
				if i > 1 {
					<-ctx.Done()
					return 0, ctx.Err()
				}
				return i, nil
			}, func(i, _ int) error {
				taken++
				if i == of.take {
					return failed
				}
				return nil
			})
			if !errors.Is(err, failed) || running.Load() != 0 {
				t.Errorf("%s: %v, %d run on", name, err, running.Load())
			}
			if want := of.take + 1; of.read >= 0 && taken != of.read || of.take >= 0 && taken != want {
				t.Errorf("%s: %d taken", name, taken)
			}
		}
	})
}
