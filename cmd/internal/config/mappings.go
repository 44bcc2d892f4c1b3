package config

import (
	"fmt"
	"os"

	"flyball/ingest/decode"
	"flyball/ingest/mapping"
)

// Formats that an input may have without a mapping of one's own.
var Formats = decode.Formats()

// CompileMappings reads the operator's mappings.
func (c Config) CompileMappings() ([]*mapping.Program, error) {
	var out []*mapping.Program
	for i, file := range c.Mappings {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("mappings[%d]: %w", i, err)
		}
		p, err := mapping.Compile(file, text)
		if err != nil {
			return nil, fmt.Errorf("mappings[%d]: %w", i, err)
		}
		for _, other := range out {
			if other.Name == p.Name {
				return nil, fmt.Errorf("mappings[%d]: %s has the name %q of another mapping", i, file, p.Name)
			}
		}
		out = append(out, p)
	}
	return out, nil
}

// formatNames are all formats that an input may have.
func (c Config) formatNames(bad func(format string, args ...any)) []string {
	names := Formats
	programs, err := c.CompileMappings()
	if err != nil {
		bad("%w", err)
	}
	for _, p := range programs {
		names = append(names[:len(names):len(names)], p.Name)
	}
	return names
}
