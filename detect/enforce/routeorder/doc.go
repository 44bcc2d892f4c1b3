// Package routeorder is the state machine of operators' orders about learned routes: which templates
// are pinned, and which are undone.
//
// It does not classify calls: schema/route does, by the orders that are published from here.
package routeorder
