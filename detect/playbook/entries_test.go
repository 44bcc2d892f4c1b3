package playbook

import (
	"testing"

	"flyball/detect/score"
	"flyball/schema"
)

func TestEveryFamilyHasACard(t *testing.T) {
	for _, f := range append(score.Families[:], schema.FamilyPace, schema.FamilyAfterTask, schema.FamilyBorrowed, schema.FamilyScope,
		schema.FamilyIdentity) {
		c, ok := Find(f)
		if !ok || c.Means == "" || len(c.Benign) == 0 || len(c.Check) == 0 || len(c.Contain) == 0 || c.Close == "" {
			t.Errorf("%s: %+v", f, c)
		}
	}
}
