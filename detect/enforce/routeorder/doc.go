// Package routeorder is the state machine of operators' orders about learned routes: which templates
// are pinned, and which are undone. It also keeps the templates of orders that were cleared, since breakers may be
// open on them.
//
// It does not classify calls: schema/route does, by the orders that are published from here.
package routeorder
