// Package document reads YAML that people write: configuration, mappings, manifests.
//
// It does not know the keys and does not check the values: the package that uses a document
// does.
package document

import (
	"errors"
	"fmt"

	"github.com/goccy/go-yaml"
)

// Read fills into with a document. A key that into does not have is an error. An error names
// line and key. A document above the limits of size, depth and aliases is refused before it is
// parsed. A panic of the library is also returned as an error: an unknown tag before a
// list makes it panic (goccy/go-yaml#735, 1.19.2), and any client that can send a manifest can
// send such a text.
func Read(text []byte, into any) (err error) {
	defer func() {
		if broken := recover(); broken != nil {
			err = fmt.Errorf("no YAML that can be read (%v); write it without tags", broken)
		}
	}()
	if err := checkLimits(text); err != nil {
		return err
	}
	if err := yaml.UnmarshalWithOptions(text, into, yaml.Strict()); err != nil {
		return errors.New(yaml.FormatError(err, false, true))
	}
	return nil
}
