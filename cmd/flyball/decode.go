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
	var as, mine, preset string
	var explain bool
	cmd := &cobra.Command{Use: "decode [--as FORMAT] [--mapping FILE] [--explain] FILE|-", Short: "Show how records would be read; one JSON call a line", Args: cobra.MaximumNArgs(1), RunE: func(cmd *cobra.Command, args []string) error {
		if preset != "" {
			text, err := mapping.Text(preset)
			if err != nil {
				return usage(err)
			}
			_, err = cmd.OutOrStdout().Write(text)
			return err
		}
		if len(args) != 1 {
			return usage(errors.New("decode: name a file of records, or - for standard input"))
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
		own, err := c.Programs()
		if err != nil {
			return usage(err)
		}
		if mine != "" && !cmd.Flags().Changed("as") {
			as = own[len(own)-1].Name
		}
		c.Kafka.Inputs = []config.Input{{Topic: args[0], Format: as}}
		if err := c.Validate(); err != nil {
			return usage(err)
		}
		key, err := app.SecretKey(c, false)
		if err != nil {
			// Without the deployment's key, digests and hashed ids are this command's own.
			key = make([]byte, 32)
			_, _ = rand.Read(key)
		}
		id, table, err := app.Rules(c, key)
		if err != nil {
			return err
		}
		p, err := app.Pipeline(c, id, table)
		if err != nil {
			return err
		}
		dead, err := decodeFile(cmd.InOrStdin(), cmd.OutOrStdout(), args[0], p, format, explain)
		if err != nil {
			return err
		}
		if dead {
			return errIncomplete
		}
		return nil
	}}
	f := cmd.Flags()
	f.StringVar(&as, "as", "auto", "format: "+strings.Join(config.Formats, ", ")+", or a mapping's name")
	f.StringVar(&mine, "mapping", "", "read by this mapping, a YAML file")
	f.BoolVar(&explain, "explain", false, "say of each field where it came from")
	f.StringVar(&preset, "preset", "", "print the mapping of a format that Flyball knows, to copy and change")
	return cmd
}

func decodeFile(stdin io.Reader, out io.Writer, name string, p *decode.Pipeline, format string, explain bool) (anyDead bool, err error) {
	in := stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return false, err
		}
		defer f.Close()
		in = f
	}
	if strings.HasSuffix(name, ".gz") {
		z, err := gzip.NewReader(in)
		if err != nil {
			return false, fmt.Errorf("%s: %w", name, err)
		}
		in = z
	}
	w := bufio.NewWriter(out)
	defer w.Flush()
	var calls []schema.Call
	var buf []byte
	offset := int64(0)
	err = eachRecord(in, strings.HasSuffix(strings.TrimSuffix(name, ".gz"), ".b64"), func(value []byte) error {
		rec := decode.Record{Topic: name, Offset: offset, Timestamp: time.Now().UnixNano(), Value: value}
		offset++
		var dead []decode.Dead
		var steps [][]decode.Step
		if explain {
			calls, steps, dead = p.Explain(&rec)
		} else {
			calls, dead = p.Decode(&rec, calls[:0])
		}
		for i := range calls {
			if explain {
				origins := decode.Origins(&calls[i], steps[i])
				if err := explained(w, format, name, offset, &calls[i], origins); err != nil {
					return err
				}
				continue
			}
			if format == "table" {
				c := &calls[i]
				fmt.Fprintf(w, "%s  %-6s %-40s %3d %-12s %-13s run=%s agent=%s (%s)\n", c.StartTime().Format("2006-01-02 15:04:05.000"), c.Method, c.Path, c.Status, c.Effect, c.Reversibility, c.RunKey, c.AgentID, c.AgentTrust)
				continue
			}
			buf = append(decode.AppendJSON(buf[:0], &calls[i]), '\n')
			_, _ = w.Write(buf)
		}
		for _, d := range dead {
			anyDead = true
			line, err := json.Marshal(map[string]any{"dead_letter": map[string]any{"reason": d.Reason, "detail": d.Detail, "at": fmt.Sprintf("%s:%d item %d", name, offset, d.Item)}})
			if err != nil {
				return err
			}
			fmt.Fprintf(w, "%s\n", line)
		}
		return nil
	})
	return anyDead, err
}

// explained prints a call field by field: for people as a table, for programs
// as one object.
func explained(w io.Writer, format, name string, record int64, c *schema.Call, origins []decode.Step) error {
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
