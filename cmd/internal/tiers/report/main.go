// Command report prints which tiers of the tests ran, at the end of `make test`. It does not change the outcome:
// a mandatory tier that is missing has failed its test already.
package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"flyball/cmd/internal/tiers"
)

func main() {
	records, err := os.ReadFile(os.Getenv(tiers.EnvFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintln(os.Stderr, "tiers:", err)
		os.Exit(1)
	}
	fmt.Println()
	tiers.Table(os.Stdout, string(records))
}
