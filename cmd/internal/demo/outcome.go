package demo

import (
	"fmt"
	"strings"
)

// outcome is what one play showed.
type outcome struct {
	seed        uint64
	kind, agent string // of the runaway
	denied
	page         string
	runs         []run          // the clean runs that were played
	leftOut      map[string]int // recorded runs that were not, by reason
	wrongDenials []wrongDenial
	unchecked    int64 // calls that passed because the check did not answer
}

// line is the outcome in one line.
func (p *outcome) line() string {
	refused := 0
	for i := range p.wrongDenials {
		refused += p.wrongDenials[i].calls
	}
	end := fmt.Sprintf("false trips: %d of other runs' calls refused; %d unchecked", refused, p.unchecked)
	if p.after == 0 {
		return fmt.Sprintf("seed %d: %s by %s: not denied in %d calls; %s", p.seed, p.kind, p.agent, maxRunawayCalls, end)
	}
	return fmt.Sprintf("seed %d: %s by %s: denied at call %d since onset (%.2f s), %d of %d calls after it denied too; paged as %s; %s",
		p.seed, p.kind, p.agent, p.after, p.took.Seconds(), p.again, p.tried, p.page, end)
}

// fault is why the play alone is a failure, whatever other plays show; nil: it is none.
func (p *outcome) fault() error {
	switch {
	case p.after == 0:
		return fmt.Errorf("seed %d: the runaway was not stopped in %d calls", p.seed, maxRunawayCalls)
	case p.again < p.tried:
		return fmt.Errorf("seed %d: %d of %d calls after the denial went through", p.seed, p.tried-p.again, p.tried)
	case p.unchecked > 0:
		return fmt.Errorf("seed %d: %d calls passed because the check did not answer", p.seed, p.unchecked)
	}
	return nil
}

// problem is why a play that is the only one failed: its fault, or a wrong denial; nil: it did not.
func (p *outcome) problem() error {
	if err := p.fault(); err != nil || len(p.wrongDenials) == 0 {
		return err
	}
	return fmt.Errorf("seed %d: somebody else was denied:\n%s", p.seed, strings.Join(p.wrongDenials[0].explain(), "\n"))
}
