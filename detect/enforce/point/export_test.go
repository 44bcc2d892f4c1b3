package point

import "context"

// StoreSnapshot writes the state immediately.
func (p *Point) StoreSnapshot(ctx context.Context) bool { return ticker{p}.storeSnapshot(ctx) }
