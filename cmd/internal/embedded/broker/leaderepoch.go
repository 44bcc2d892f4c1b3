package broker

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Leader epochs: Kafka raises the leader epoch of a partition whenever its leader starts again, and writes it into every batch of
// records. Two records of a partition that had the same offset, because the log lost its end between them, therefore differ in their
// epoch. kfake keeps the epoch of the last batch instead, which can be one that the lost records had. raiseEpochs sets it at each start
// to a number that no record had.

// epochFileName is the name of the file with the leader epoch of the last start, if Options.EpochFile is empty.
const epochFileName = "leader-epoch"

func (o *Options) epochFile() string {
	if o.EpochFile != "" {
		return o.EpochFile
	}
	return filepath.Join(o.Dir, epochFileName)
}

// raiseEpochs gives all partitions a leader epoch that is higher than any before. It stores the number before it is used.
func raiseEpochs(ctx context.Context, cluster *kfake.Cluster, client *kgo.Client, file string) error {
	topics, err := kadm.NewClient(client).ListTopics(ctx)
	if err != nil {
		return fmt.Errorf("list topics: %w", err)
	}
	last, known, err := readEpoch(file)
	if err != nil {
		return err
	}
	next := int32(0) // of the first start
	if known {
		next = last + 1
	}
	topics.EachPartition(func(p kadm.PartitionDetail) { next = max(next, p.LeaderEpoch+1) })
	if err := writeEpoch(file, next); err != nil {
		return err
	}
	var failed error
	topics.EachPartition(func(p kadm.PartitionDetail) {
		for at := p.LeaderEpoch; at < next && failed == nil; at++ {
			failed = cluster.MoveTopicPartition(p.Topic, p.Partition, p.Leader) // to the same broker: only the epoch changes
		}
	})
	return failed
}

// readEpoch returns the stored epoch; known is false before the first start.
func readEpoch(file string) (epoch int32, known bool, err error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 32)
	if err != nil {
		return 0, false, fmt.Errorf("%s: %q is no leader epoch; restore the file, or remove it if no data was lost since the last start",
			file, text)
	}
	return int32(n), true, nil
}

// writeEpoch replaces the file. The number is on disk when it returns.
func writeEpoch(file string, epoch int32) error {
	f, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = fmt.Fprintln(f, epoch)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(file))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}
