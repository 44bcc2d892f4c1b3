package main

import (
	"bufio"
	"compress/gzip"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/app"
	"flyball/cmd/internal/config"
	"flyball/cmd/internal/report"
	"flyball/ingest/decode"
	"flyball/ingest/mapping"
	"flyball/schema"
	"flyball/schema/identity"
)

// decodeFlags are those of `decode`.
type decodeFlags struct {
	format, mapping, preset, topic string
	explain                        bool
	records                        int
}

func decodeCommand(o *options) *cobra.Command {
	f := decodeFlags{records: 20}
	cmd := &cobra.Command{Use: "decode [--as FORMAT] [--mapping FILE] [--explain] FILE|-|--topic T", Args: cobra.MaximumNArgs(1),
		Short: "Show how records would be read; one JSON call a line"}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if f.preset != "" {
			return printPreset(cmd.OutOrStdout(), f.preset)
		}
		return runDecode(cmd, o, f, args)
	}
	fl := cmd.Flags()
	fl.StringVar(&f.format, "as", "auto", "format: "+strings.Join(config.Formats, ", ")+", or a mapping's name")
	_ = cmd.RegisterFlagCompletionFunc("as", o.complete(fixed(config.Formats...))) // an error means that it has one
	fl.StringVar(&f.mapping, "mapping", "", "read by this mapping, a YAML file")
	fl.BoolVar(&f.explain, "explain", false, "print the source of each field")
	fl.StringVar(&f.topic, "topic", "", "read the newest records of a topic")
	fl.IntVarP(&f.records, "records", "n", f.records, "read at most this many records of a topic")
	fl.StringVar(&f.preset, "preset", "", "print the mapping of a format that Flyball knows, to copy and change")
	return cmd
}

func printPreset(w io.Writer, name string) error {
	text, err := mapping.Text(name)
	if err != nil {
		return usage(err)
	}
	_, err = w.Write(text)
	return err
}

func runDecode(cmd *cobra.Command, o *options, f decodeFlags, args []string) error {
	if (len(args) == 1) == (f.topic != "") {
		return usage(errors.New("decode: name a file of records, - for standard input, or a topic with --topic"))
	}
	from := f.topic + strings.Join(args, "")
	printed, err := o.printer(cmd, formJSON, formTable)
	if err != nil {
		return err
	}
	if f.explain && !cmd.Flags().Changed("output") {
		printed.form = formTable
	}
	c, err := o.load()
	if err != nil {
		return err
	}
	if f.format, err = setInput(&c, f, from, cmd.Flags().Changed("as")); err != nil {
		return usage(err)
	}
	p, err := decodePipeline(c)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(printed.out)
	defer w.Flush()
	read := decoder{pipeline: p, out: w, form: printed.form, explain: f.explain, seen: newFormatCount()}
	if f.topic != "" {
		err = sampleTopic(cmd.Context(), c, f.topic, f.records, read.record)
	} else {
		err = read.file(cmd.InOrStdin(), from)
	}
	if err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	read.seen.print(cmd.ErrOrStderr(), f.topic, f.format)
	printLeft(cmd.ErrOrStderr(), p.Left())
	if len(read.seen.reasons) > 0 {
		return errIncomplete
	}
	return nil
}

// setInput sets the only input of a configuration, and returns its format: that of --as
// or of --mapping.
func setInput(c *config.Config, f decodeFlags, from string, named bool) (format string, err error) {
	if f.mapping != "" {
		c.Mappings = append(c.Mappings, f.mapping)
	}
	programs, err := c.CompileMappings()
	if err != nil {
		return "", err
	}
	format = f.format
	if f.mapping != "" && !named {
		format = programs[len(programs)-1].Name
	}
	c.Kafka.Inputs = []config.Input{{Topic: "decode", Format: format}}
	err = c.Validate()
	c.Kafka.Inputs[0].Topic = from // the name of a file need not be one of a topic
	return format, err
}

// decodePipeline returns the decoder of a configuration. Without the deployment's key,
// digests and hashed ids use a random key that only this command has.
func decodePipeline(c config.Config) (*decode.Pipeline, error) {
	key, err := app.ReadSecretKey(c, false)
	if err != nil {
		key = make(identity.Key, 32)
		_, _ = rand.Read(key)
	}
	return newPipeline(c, key)
}

// newPipeline returns the decoder that ingest runs with a configuration and a deployment's key.
func newPipeline(c config.Config, key identity.Key) (*decode.Pipeline, error) {
	id, table, err := app.NewClassifiers(c, key)
	if err != nil {
		return nil, err
	}
	return app.NewPipeline(c, id, table)
}

// decoder decodes records and prints the calls and the errors.
type decoder struct {
	pipeline *decode.Pipeline
	out      io.Writer
	form     string
	explain  bool
	seen     formatCount

	calls []schema.Call
	buf   []byte
}

func (r *decoder) file(stdin io.Reader, name string) error {
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
	return eachRecord(in, strings.HasSuffix(strings.TrimSuffix(name, ".gz"), ".b64"), func(line int64, value []byte) error {
		return r.record(&decode.Record{Topic: name, Offset: line - 1, Timestamp: time.Now().UnixNano(), Value: value})
	})
}

func (r *decoder) record(rec *decode.Record) error {
	var dead []decode.Rejected
	var steps [][]decode.FieldOrigin
	if r.explain {
		r.calls, steps, dead = r.pipeline.Explain(rec)
	} else {
		r.calls, dead = r.pipeline.Decode(rec, r.calls[:0])
	}
	r.seen.add(r.calls, dead)
	for i := range r.calls {
		c := &r.calls[i]
		switch {
		case r.explain:
			if err := printExplained(r.out, r.form, rec.Topic, rec.Offset+1, c, decode.FieldOrigins(c, steps[i])); err != nil {
				return err
			}
		case r.form == formTable:
			report.Printf(r.out, "%s  %-6s %-40s %3d %-12s %-13s run=%s agent=%s (%s)\n", c.StartTime().Format("2006-01-02 15:04:05.000"),
				c.Method, c.Path, c.Status, c.Effect, c.Reversibility, c.RunKey, c.AgentID, c.AgentTrust)
		default:
			r.buf = append(decode.AppendJSON(r.buf[:0], c), '\n')
			_, _ = r.out.Write(schema.VisibleJSON(r.buf))
		}
	}
	for _, d := range dead {
		line, err := json.Marshal(map[string]any{"dead_letter": map[string]any{"reason": d.Reason, "detail": d.Detail,
			"at": fmt.Sprintf("%s:%d item %d", rec.Topic, rec.Offset+1, d.Item)}})
		if err != nil {
			return err
		}
		fmt.Fprintf(r.out, "%s\n", schema.VisibleJSON(line))
	}
	return nil
}

// printExplained prints a call field by field: for people as a table, for programs
// as one object.
func printExplained(w io.Writer, form, name string, record int64, c *schema.Call, origins []decode.FieldOrigin) error {
	if form == formJSON {
		line, err := json.Marshal(map[string]any{"call": json.RawMessage(decode.AppendJSON(nil, c)), "explain": origins})
		fmt.Fprintf(w, "%s\n", schema.VisibleJSON(line))
		return err
	}
	report.Printf(w, "%s:%d  read as %s\n", name, record, c.Format)
	return report.Lines(w, func(row func(...any)) {
		for _, o := range origins {
			row("  "+o.Field, o.Value, o.From)
		}
		row()
	})
}
