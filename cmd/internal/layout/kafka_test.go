package layout

import (
	"go/ast"
	"slices"
	"strings"
	"testing"
)

// Kafka clients are made in one package, which adds a logger and metrics. Servers that Flyball
// embeds or starts for tests, and tools, do not need these.
func TestKafkaClientsAreMadeInOnePlace(t *testing.T) {
	outside := []string{"schema/kafka/", "cmd/internal/embedded/", "cmd/internal/realparts/", "cmd/internal/tools/"}
	sources(t, false, func(path string, f *ast.File) {
		if slices.ContainsFunc(outside, func(dir string) bool { return strings.HasPrefix(path, dir) }) {
			return
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok && s.Sel.Name == "NewClient" {
				if x, ok := s.X.(*ast.Ident); ok && x.Name == "kgo" {
					t.Errorf("%s calls kgo.NewClient: use kafka.Config.NewClient of schema/kafka", path)
				}
			}
			return true
		})
	})
}
