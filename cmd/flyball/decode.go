package main

import (
	"bufio"
	"compress/gzip"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/app"
	"flyball/cmd/internal/config"
	"flyball/ingest/decode"
	"flyball/ingest/mapping"
	"flyball/schema"
)

func decodeCommand(o *options) *cobra.Command {
	var as, mine, preset, topic string
	var explain bool
	n := 20
	cmd := &cobra.Command{Use: "decode [--as FORMAT] [--mapping FILE] [--explain] FILE|-|--topic T", Short: "Show how records would be read; one JSON call a line", Args: cobra.MaximumNArgs(1), RunE: func(cmd *cobra.Command, args []string) error {
		if preset != "" {
			text, err := mapping.Text(preset)
			if err != nil {
				return usage(err)
			}
			_, err = cmd.OutOrStdout().Write(text)
			return err
		}
		if (len(args) == 1) == (topic != "") {
			return usage(errors.New("decode: name a file of records, - for standard input, or a topic with --topic"))
		}
		from := topic
		if topic == "" {
			from = args[0]
		}
		format, err := o.outputIs("json", "table")
		if explain && !cmd.Flags().Changed("output") {
			format = "table"
		}
		if err != nil {
			return err
		}
		c, err := o.load()
		if err != nil {
			return err
		}
		if mine != "" {
			c.Mappings = append(c.Mappings, mine)
		}
		own, err := c.CompileMappings()
		if err != nil {
			return usage(err)
		}
		if mine != "" && !cmd.Flags().Changed("as") {
			as = own[len(own)-1].Name
		}
		c.Kafka.Inputs = []config.Input{{Topic: from, Format: as}}
		if err := c.Validate(); err != nil {
			return usage(err)
		}
		key, err := app.ReadSecretKey(c, false)
		if err != nil {
			// Without the deployment's key, digests and hashed ids are this command's own.
			key = make([]byte, 32)
			_, _ = rand.Read(key)
		}
		id, table, err := app.NewClassifiers(c, key)
		if err != nil {
			return err
		}
		p, err := app.NewPipeline(c, id, table)
		if err != nil {
			return err
		}
		w := bufio.NewWriter(cmd.OutOrStdout())
		defer w.Flush()
		read := reader{pipeline: p, out: w, format: format, explain: explain, guess: guess{map[string]int{}, map[decode.Reason]int{}}}
		if topic != "" {
			err = sampleTopic(cmd.Context(), c, topic, n, read.record)
		} else {
			err = read.file(cmd.InOrStdin(), from)
		}
		if err != nil {
			return err
		}
		if err := w.Flush(); err != nil {
			return err
		}
		read.guess.say(cmd.ErrOrStderr(), topic, as)
		if len(read.guess.reasons) > 0 {
			return errIncomplete
		}
		return nil
	}}
	f := cmd.Flags()
	f.StringVar(&as, "as", "auto", "format: "+strings.Join(config.Formats, ", ")+", or a mapping's name")
	f.StringVar(&mine, "mapping", "", "read by this mapping, a YAML file")
	f.BoolVar(&explain, "explain", false, "say of each field where it came from")
	f.StringVar(&topic, "topic", "", "read the newest records of a topic")
	f.IntVarP(&n, "records", "n", n, "of a topic, at most this many")
	f.StringVar(&preset, "preset", "", "print the mapping of a format that Flyball knows, to copy and change")
	return cmd
}

// reader decodes records and prints what came of them.
type reader struct {
	pipeline *decode.Pipeline
	out      io.Writer
	format   string
	explain  bool
	guess    guess

	calls []schema.Call
	buf   []byte
}

func (r *reader) file(stdin io.Reader, name string) error {
	in := stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	if strings.HasSuffix(name, ".gz") {
		z, err := gzip.NewReader(in)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		in = z
	}
	offset := int64(0)
	return eachRecord(in, strings.HasSuffix(strings.TrimSuffix(name, ".gz"), ".b64"), func(value []byte) error {
		offset++
		return r.record(&decode.Record{Topic: name, Offset: offset - 1, Timestamp: time.Now().UnixNano(), Value: value})
	})
}

func (r *reader) record(rec *decode.Record) error {
	var dead []decode.Rejected
	var steps [][]decode.FieldOrigin
	if r.explain {
		r.calls, steps, dead = r.pipeline.Explain(rec)
	} else {
		r.calls, dead = r.pipeline.Decode(rec, r.calls[:0])
	}
	r.guess.add(r.calls, dead)
	for i := range r.calls {
		c := &r.calls[i]
		switch {
		case r.explain:
			if err := explained(r.out, r.format, rec.Topic, rec.Offset+1, c, decode.FieldOrigins(c, steps[i])); err != nil {
				return err
			}
		case r.format == "table":
			fmt.Fprintf(r.out, "%s  %-6s %-40s %3d %-12s %-13s run=%s agent=%s (%s)\n", c.StartTime().Format("2006-01-02 15:04:05.000"), c.Method, c.Path, c.Status, c.Effect, c.Reversibility, c.RunKey, c.AgentID, c.AgentTrust)
		default:
			r.buf = append(decode.AppendJSON(r.buf[:0], c), '\n')
			_, _ = r.out.Write(r.buf)
		}
	}
	for _, d := range dead {
		line, err := json.Marshal(map[string]any{"dead_letter": map[string]any{"reason": d.Reason, "detail": d.Detail, "at": fmt.Sprintf("%s:%d item %d", rec.Topic, rec.Offset+1, d.Item)}})
		if err != nil {
			return err
		}
		fmt.Fprintf(r.out, "%s\n", line)
	}
	return nil
}

// explained prints a call field by field: for people as a table, for programs
// as one object.
func explained(w io.Writer, format, name string, record int64, c *schema.Call, origins []decode.FieldOrigin) error {
	if format == "json" {
		line, err := json.Marshal(map[string]any{"call": json.RawMessage(decode.AppendJSON(nil, c)), "explain": origins})
		fmt.Fprintf(w, "%s\n", line)
		return err
	}
	fmt.Fprintf(w, "%s:%d  read as %s\n", name, record, c.Format)
	tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, o := range origins {
		fmt.Fprintf(tab, "  %s\t%s\t%s\n", o.Field, o.Value, o.From)
	}
	fmt.Fprintln(tab)
	return tab.Flush()
}

// eachRecord cuts a file into records: a line each, base64 in .b64 files.
func eachRecord(in io.Reader, b64 bool, each func([]byte) error) error {
	r := bufio.NewReaderSize(in, 1<<20)
	for {
		line, err := r.ReadBytes('\n')
		if n := len(line); n > 0 && line[n-1] == '\n' {
			line = line[:n-1]
		}
		if len(line) > 0 {
			value := line
			if b64 {
				raw, bad := base64.StdEncoding.DecodeString(strings.TrimSpace(string(line)))
				if bad != nil {
					return fmt.Errorf("base64: %w", bad)
				}
				value = raw
			}
			if err := each(value); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
