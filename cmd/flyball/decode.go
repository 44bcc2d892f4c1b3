package main

import (
	"bufio"
	"compress/gzip"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/app"
	"flyball/cmd/internal/config"
	"flyball/ingest/decode"
	"flyball/schema"
)

func decodeCommand(o *options) *cobra.Command {
	var as string
	cmd := &cobra.Command{Use: "decode [--as FORMAT] FILE|-", Short: "Show how records would be read; one JSON call a line", Args: cobra.ExactArgs(1), RunE: func(cmd *cobra.Command, args []string) error {
		format, err := o.outputIs("json", "table")
		if err != nil {
			return err
		}
		c, err := o.load()
		if err != nil {
			return err
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
		dead, err := decodeFile(cmd.InOrStdin(), cmd.OutOrStdout(), args[0], p, format)
		if err != nil {
			return err
		}
		if dead {
			return errIncomplete
		}
		return nil
	}}
	cmd.Flags().StringVar(&as, "as", "auto", "format: "+strings.Join(config.Formats, ", "))
	return cmd
}

func decodeFile(stdin io.Reader, out io.Writer, name string, p *decode.Pipeline, format string) (anyDead bool, err error) {
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
		calls, dead = p.Decode(&rec, calls[:0])
		for i := range calls {
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
