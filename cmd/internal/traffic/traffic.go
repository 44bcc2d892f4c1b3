// Package traffic is real agent traffic that comes with the product: runs of
// tau-bench, tau2-bench and AgentDojo, which are public under the MIT licence
// (LICENSE beside each). Labels and conversations are not in it.
//
// It is no benchmark: it is an extract for the demo.
package traffic

import "embed"

// Files holds the folders tau and agentdojo, each a data set.
//
//go:embed tau agentdojo
var Files embed.FS

// Sets are the folders of Files.
var Sets = []string{"tau", "agentdojo"}
