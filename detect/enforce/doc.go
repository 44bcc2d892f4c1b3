// Package enforce holds what the state machines of enforcement share: the position in
// the log of commands, the result of applying a command, and the request that a
// gateway wants to let pass. The machines are in the packages below it.
//
// Every enforcement point reads the same log (flyball.commands, one partition) and
// applies its commands in the same order to the same machines, so all points hold the
// same state and give the same answers. A machine is a pure function of the log: it
// reads no clock (the log's time is an argument), does no I/O and starts no goroutine.
// This package itself holds no state and does not decide.
//
// # The machines and their state
//
//	ledger     the log as a whole: dispatches each command to one machine, stores its
//	           result, appends it to the audit trail; decides requests from all machines
//	breaker    breakers (open, half open, forced open), bypasses, the budget of trips
//	approval   questions to people about irreversible calls, and their grants
//	task       tasks that an orchestrator declared for runs
//	manifest   manifests in force: what an agent may call, when, how much, and what needs approval
//	quota      leases: how much of a manifest's quota each point may spend
//	arming     commands that arm or disarm agents, tags and families
//	exception  exceptions: findings that are expected and open no breaker
//	reach      not a machine: what a caller could still do under manifests and quotas
//
// # The path of a command
//
//  1. ledger.State.Apply skips a record whose offset or id was already applied.
//  2. The log's time advances: exceptions end, then breakers change state or close, then
//     questions and grants time out. Each machine with deadlines is a Timed.
//  3. The command goes to the one Machine that owns its kind. A trip first passes
//     exception (is it expected?) and arming (is it enforced?), then breaker.
//  4. The Result is stored under the command's id, and an entry of the audit trail is made.
//  5. The events of all steps are returned. The caller publishes them.
//
// # The path of a request
//
// ledger.State.Decide collects objections in this order: breaker, manifest (or the
// declared task, or the learned scope if no manifest is in force), the manifest of a
// name that is only claimed, the failure mode while the log is stale. The most severe
// enforced objection decides; arming determines which of them are enforced. Quotas and grants
// change with each use, so each use is a command in the log (see detect/enforce/point).
package enforce
