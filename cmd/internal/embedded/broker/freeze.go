package broker

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Freeze calls do while the broker handles no request: no record is written, no offset is committed, no segment is deleted or
// compacted. The files are then what they would be after kill -9 at that moment. Clients wait meanwhile, so do must be short: within
// its time, which Freeze does not enforce.
//
// The broker handles all requests in one loop, which waits for do. What works beside that loop is stopped too, or follows within
// microseconds: the deletion of read records, and the groups, whose log of commits may grow by one that was under way.
func (b *Broker) Freeze(ctx context.Context, do func() error) error {
	b.cleaning.Lock()
	defer b.cleaning.Unlock()
	client, err := kgo.NewClient(kgo.SeedBrokers("embedded:1"), kgo.Dialer(b.Dial), kgo.SASL(Mechanism(b.opt.Password)),
		kgo.RequestRetries(0))
	if err != nil {
		return err
	}
	defer client.Close()
	if err := client.Ping(ctx); err != nil { // connects: the login must not count as time of the freeze
		return fmt.Errorf("freeze the embedded broker: %w", err)
	}
	var called atomic.Bool
	done := make(chan error, 1)
	b.cluster.ControlKey(int16(kmsg.DescribeCluster), func(kmsg.Request) (kmsg.Response, error, bool) {
		b.cluster.DropControl()
		if called.CompareAndSwap(false, true) {
			if ctx.Err() != nil {
				done <- ctx.Err() // nobody waits any more
			} else {
				done <- do()
			}
		}
		return nil, nil, false
	})
	request := kmsg.NewPtrDescribeClusterRequest()
	_, sent := request.RequestWith(ctx, client)
	select {
	case err := <-done:
		return err
	case <-time.After(time.Second):
		if !called.CompareAndSwap(false, true) {
			return <-done
		}
		return errors.Join(errors.New("the embedded broker was not frozen"), sent)
	}
}

// NotInABackup are the files of the directory that a backup leaves out: the lock, and the users and rules, which are made at each start.
var NotInABackup = append([]string{lockName}, kept...)

// Lock takes the lock of a directory that no broker serves, so that none starts meanwhile. The error says that one serves it.
func Lock(dir string) (unlock func(), err error) {
	f, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	return func() { _ = f.Close() }, nil
}
