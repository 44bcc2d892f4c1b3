package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/app"
	"flyball/cmd/internal/config"
	"flyball/cmd/internal/dataset"
	"flyball/cmd/internal/diskguard"
	"flyball/cmd/internal/replay"
	"flyball/cmd/internal/report"
)

func replayCommand(o *options) *cobra.Command {
	var opt replay.Options
	var speed string
	cmd := &cobra.Command{Use: "replay FILE|DIR…", Short: "Send recorded traffic to a topic", Args: cobra.MinimumNArgs(1)}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		p, err := o.printer(cmd, formTable, formJSON)
		if err != nil {
			return err
		}
		c, err := o.load()
		if err != nil {
			return err
		}
		if opt.Kafka, err = app.KafkaConfig(c); err != nil {
			return err
		}
		if opt.Speed, err = speedFlag(speed); err != nil {
			return err
		}
		if opt.Topic == "" {
			opt.Topic = c.Kafka.Inputs[0].Topic
		}
		if !cmd.Flags().Changed("as") {
			if opt.As, err = renderedFor(c, opt.Topic, args); err != nil {
				return err
			}
		}
		opt.Where, opt.Partitions = "kafka.brokers "+strings.Join(c.Kafka.Brokers, ", "), int32(c.Kafka.Partitions)
		if len(c.Kafka.Brokers) == 0 {
			opt.Where = "kafka.listen " + c.Kafka.Listen
		}
		progress := progressWriter()
		opt.Progress = func(sent int, rate float64) { fmt.Fprintf(progress, "\r%d records, %.0f/s ", sent, rate) }
		opt.Hold = holdForDisk(cmd.ErrOrStderr(), func(ctx context.Context) []diskguard.State { return disksOf(ctx, c) }, holdPoll)
		result, err := replay.Run(cmd.Context(), opt, args, time.Now)
		if err != nil {
			return err
		}
		fmt.Fprintf(progress, "\r")
		done := replayed{opt.Topic, result.Records, result.Took.Seconds(), float64(result.Records) / max(result.Took.Seconds(), 1e-9)}
		return p.print(done, func(w io.Writer) error {
			return report.Printf(w, "%d records sent to %s and acknowledged, %.0f/s\n", done.Records, done.Topic, done.PerSecond)
		})
	}
	f := cmd.Flags()
	f.StringVar(&opt.Topic, "topic", "", "topic to send to (default: the first input)")
	f.StringVar(&opt.As, "as", dataset.Formats[0], "format to render a data set in: "+strings.Join(dataset.Formats, ", ")+
		" (default: the one that kafka.inputs has for the topic)")
	f.StringVar(&speed, "speed", "max", "factor of the recorded speed, or max")
	f.BoolVar(&opt.Now, "now", false, "shift times so that the last call is now")
	return cmd
}

// replayed is what `replay -o json` prints.
type replayed struct {
	Topic     string  `json:"topic"`
	Records   int     `json:"records"` // that were acknowledged
	Seconds   float64 `json:"seconds"`
	PerSecond float64 `json:"per_second"`
}

// renderedFor returns the format in which a data set is written to a topic: the one that the configuration sets for it.
func renderedFor(c config.Config, topic string, args []string) (string, error) {
	for _, in := range c.Kafka.Inputs {
		switch {
		case in.Topic != topic || in.Format == "" || in.Format == "auto":
			continue
		case slices.Contains(dataset.Formats, in.Format):
			return in.Format, nil
		}
		for _, a := range args {
			if info, err := os.Stat(a); err == nil && info.IsDir() {
				return "", usage(fmt.Errorf("%s is a data set, which can be written as %s, and kafka.inputs reads topic %s as %s: name another "+
					"topic with --topic, or insist with --as", a, strings.Join(dataset.Formats, " or "), topic, in.Format))
			}
		}
	}
	return dataset.Formats[0], nil
}

// speedFlag returns the factor of the recorded speed at which traffic is sent; 0 for "max".
func speedFlag(text string) (float64, error) {
	if text == "max" {
		return 0, nil
	}
	speed, err := strconv.ParseFloat(text, 64)
	if err != nil || !(speed > 0) {
		return 0, usage(fmt.Errorf("--speed: %q is neither max nor a number above 0", text))
	}
	return speed, nil
}

// disksOf returns the disks of the process that a configuration names; none if none answers: then nothing is known to be full.
func disksOf(ctx context.Context, c config.Config) []diskguard.State {
	var p app.ProcessStatus
	if isRemote(c) {
		return nil
	}
	if _, err := fromProcess(ctx, c, "/status", &p); err != nil {
		return nil
	}
	return p.Disks
}

const (
	holdPoll = 2 * time.Second
	// holdFresh is how long an answer about the disks counts.
	holdFresh = time.Second
)

// holdForDisk returns the function that stops a replay while the disk guard of the deployment does: at its beginning it is refused,
// later it waits.
func holdForDisk(stderr io.Writer, disks func(context.Context) []diskguard.State, poll time.Duration) func(context.Context, int) error {
	var asked time.Time
	return func(ctx context.Context, sent int) error {
		if sent > 0 && time.Since(asked) < holdFresh {
			return nil
		}
		waits := false
		for {
			asked = time.Now()
			err := diskguard.Refusal(disks(ctx))
			if err == nil || sent == 0 {
				if waits {
					report.Printf(stderr, "the replay goes on\n")
				}
				return err
			}
			if !waits {
				report.Printf(stderr, "the replay waits after %d records: %v\n", sent, err)
				waits = true
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(poll):
			}
		}
	}
}
