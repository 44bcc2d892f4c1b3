// Package live holds the incidents that are open at the end of flyball.alerts, for people who list and acknowledge them. It folds the same
// records as the pagers, as a receiver to which everything is routed.
package live
