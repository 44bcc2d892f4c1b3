package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/app"
	"flyball/cmd/internal/dataset"
	"flyball/cmd/internal/replay"
)

func replayCommand(o *options) *cobra.Command {
	var r replay.Options
	var speed string
	cmd := &cobra.Command{Use: "replay FILE|DIR…", Short: "Send recorded traffic to a topic", Args: cobra.MinimumNArgs(1), RunE: func(cmd *cobra.Command, args []string) error {
		c, err := o.load()
		if err != nil {
			return err
		}
		if r.Kafka, err = app.KafkaOpts(c); err != nil {
			return err
		}
		if speed != "max" {
			if r.Speed, err = strconv.ParseFloat(speed, 64); err != nil || r.Speed <= 0 {
				return usage(fmt.Errorf("--speed: %q is neither max nor a number above 0", speed))
			}
		}
		if r.Topic == "" {
			r.Topic = c.Kafka.Inputs[0].Topic
		}
		r.Where, r.Partitions = "kafka.brokers "+strings.Join(c.Kafka.Brokers, ", "), int32(c.Kafka.Partitions)
		if len(c.Kafka.Brokers) == 0 {
			r.Where = "kafka.listen " + c.Kafka.Listen
		}
		progress := progressTo()
		r.Progress = func(sent int, rate float64) { fmt.Fprintf(progress, "\r%d records, %.0f/s ", sent, rate) }
		result, err := replay.Run(cmd.Context(), r, args, time.Now)
		if err != nil {
			return err
		}
		fmt.Fprintf(progress, "\r")
		fmt.Fprintf(cmd.OutOrStdout(), "%d records sent to %s and acknowledged, %.0f/s\n", result.Records, r.Topic, float64(result.Records)/max(result.Took.Seconds(), 1e-9))
		return nil
	}}
	f := cmd.Flags()
	f.StringVar(&r.Topic, "topic", "", "topic to send to (default: the first input)")
	f.StringVar(&r.As, "as", "envoy_json", "format to render a data set in: "+strings.Join(dataset.Formats, ", "))
	f.StringVar(&speed, "speed", "max", "times as fast as it happened, or max")
	f.BoolVar(&r.Now, "now", false, "shift times so that the last call is now")
	return cmd
}
