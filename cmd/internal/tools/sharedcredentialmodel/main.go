// Command sharedcredentialmodel counts the sessions of a folder of labelled data and
// writes detect/model/sharedcredential/model.json. The same data make the same bytes.
//
// It writes counts only, and no data of a session.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"

	"flyball/cmd/internal/tools/labelled"
	"flyball/detect/model/sharedcredential"
)

func main() {
	data := flag.String("data", "", "folder with the data sets "+strings.Join(labelled.CallerSets, ", "))
	out := flag.String("out", "detect/model/sharedcredential/model.json", "file to write")
	flag.Parse()
	if err := run(*data, *out); err != nil {
		fmt.Fprintln(os.Stderr, "sharedcredentialmodel:", err)
		os.Exit(1)
	}
}

func run(data, out string) error {
	sessions, missing, err := labelled.SharedCredentialSessions(data, false)
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		return fmt.Errorf(
			"-data %s: %s is not there; the model rests on all of %s",
			data,
			strings.Join(missing, ", "),
			strings.Join(labelled.CallerSets, ", "),
		)
	}
	m := sharedcredential.Learn(sessions)
	m.Learned = "counts of sessions of at least 5 calls, at most 3 of an identity; web: access log of a public web site (Apache-2.0); " +
		"wikiedits: Wikipedia edits with bot flags (Apache-2.0); usual values of machines also from agentdojo and tau (MIT) and cloudtrail " +
		"(MIT, Apache-2.0). Made by: go run ./cmd/internal/tools/sharedcredentialmodel -data DIR"
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(m); err != nil {
		return err
	}
	return os.WriteFile(out, b.Bytes(), 0o644)
}
