package point

import "context"

// StoreSnapshot writes the state now, not when it is due.
func (p *Point) StoreSnapshot(ctx context.Context) bool { return ticker{p}.storeSnapshot(ctx) }
