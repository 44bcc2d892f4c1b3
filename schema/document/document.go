// Package document reads the YAML that people write: configuration, mappings,
// manifests.
//
// It refuses to know their keys: what a value means is checked by whom it is for.
package document

import (
	"errors"
	"fmt"

	"github.com/goccy/go-yaml"
)

// Read fills into with a document and refuses keys that it does not have. An error
// names line and key. It is an error, too, where the library gives up: a tag that
// it does not know before a list makes it panic (goccy/go-yaml#735, 1.19.2), and
// such a text may come from anybody who can put a manifest.
func Read(text []byte, into any) (err error) {
	defer func() {
		if broken := recover(); broken != nil {
			err = fmt.Errorf("no YAML that can be read (%v); write it without tags", broken)
		}
	}()
	if err := yaml.UnmarshalWithOptions(text, into, yaml.Strict()); err != nil {
		return errors.New(yaml.FormatError(err, false, true))
	}
	return nil
}
