package config

func (Detect) about() abouts {
	return abouts{
		"mode": {Meaning: "observe records what would have been done; armed enforces it for all agents.", Form: "observe or armed",
			Wrong: "arm", Refused: "other words"},
		"armed": {Meaning: "What is enforced in mode observe: agents, tags, families.",
			Form:  "list of patterns: billing/*, tag:payments, family:runaway.loop",
			Wrong: "['tag:']", Refused: "empty patterns; families that do not exist"},
		"policy":     {Meaning: "Actions for findings. The most specific rule applies."},
		"exceptions": {Meaning: "Findings that are expected: they are recorded and cause no action."},
		"trip_ttl":   {Meaning: "How long an automatic trip holds.", Wrong: "8785h", Refused: "below 1s; above 8784h"},
		"false_trips_per_1000": {Meaning: "Accepted number of clean runs per 1000 that are tripped.", Form: "runs per 1000", Wrong: "11",
			Refused: "0 or below; above 10"},
		"false_suspicions_per_1000": {Meaning: "Accepted number of sessions of people per 1000 that are taken for a machine's.",
			Form: "sessions per 1000", Wrong: "51",
			Refused: "0 or below; above 50"},
		"learned_scope": {Meaning: "Writes outside what an agent has done before: off; observe (enforced only if family:scope is " +
			"armed); enforce (armed as other families).",
			Form: "off, observe or enforce", Wrong: "armed", Refused: "other words"},
		"max_open_runs_per_actor": {Meaning: "Open runs of one actor. 0: an eighth of a partition's, at least 200.", Wrong: "-1",
			Refused: "below 0; above max_open_runs"},
		"max_open_runs": {Meaning: "Open runs of the process. 0: as many as its memory allows.", Wrong: "-1", Refused: "below 0"},
		"max_actors":    {Meaning: "Actors of the process.", Wrong: "0", Refused: "below 1"},
		"session_gap": {Meaning: "Silence after which calls without a run id begin another run.", Wrong: "1ms",
			Refused: "below 10ms; above 720h"},
		"conversation_gap": {Meaning: "Silence after which calls of a conversation begin another run.", Wrong: "1ms",
			Refused: "below 10ms; above 720h"},
		"run_gap": {Meaning: "Silence after which a run with an id is closed.", Wrong: "1ms",
			Refused: "below 10ms; above 720h"},
		"lateness": {Meaning: "How late a record may arrive before the runs of its time are closed.", Wrong: "25h",
			Refused: "below 0; above 24h"},
		"checkpoint_every": {Meaning: "Longest time between two writes of an actor's state.", Wrong: "1ms",
			Refused: "below 10ms; above 1h"},
	}
}

func (PolicyRule) about() abouts {
	return abouts{
		"name":  {Meaning: "Name in findings. Empty: its place in the list."},
		"level": {Meaning: "Level of the finding. Empty: both.", Form: "alert or trip", Wrong: "annotate", Refused: "other words"},
		"agent": {Meaning: "Agent. Empty: all.", Form: "name or pattern such as billing/*", Wrong: "'a['", Refused: "no pattern"},
		"tag": {Meaning: "Tag of the agent in the registry. Empty: all.", Form: "name or pattern", Wrong: "'a['",
			Refused: "no pattern"},
		"family": {Meaning: "Family of findings. Empty: all.", Form: "name or pattern such as runaway.*", Wrong: "runway.loop",
			Refused: "what matches no family"},
		"criticality": {Meaning: "Criticality of the agent in the registry. Empty: all.", Form: "low, normal or high", Wrong: "urgent",
			Refused: "other words"},
		"reversibility": {Meaning: "Worst reversibility of the calls. Empty: all.",
			Form: "read_only, reversible, compensable or irreversible", Wrong: "never", Refused: "other words"},
		"action": {Meaning: "What is done.", Form: "annotate, throttle, gate or deny", Wrong: "block",
			Refused: "empty; other words; throttle or deny for borrowed_credential"},
		"ttl": {Meaning: "How long it holds. 0: detect.trip_ttl.", Wrong: "8785h", Refused: "below 0; above 8784h"},
	}
}

func (Exception) about() abouts {
	return abouts{
		"name":  {Meaning: "Name in the findings that it covers.", Wrong: "''", Refused: "empty; a name that is used twice"},
		"agent": {Meaning: "Agent.", Form: "name or pattern such as billing/*", Wrong: "'a['", Refused: "empty; no pattern"},
		"family": {Meaning: "Family of findings.", Form: "name or pattern such as runaway.*", Wrong: "policy.*",
			Refused: "empty; families that manifests decide"},
		"routes": {Meaning: "Routes of the calls. Empty: all.", Form: "list such as DELETE /v1/orders/{id} or tool:NAME",
			Wrong: "['delete /v1']", Refused: "other forms"},
		"hours":    {Meaning: "Hours of the week. Absent: all."},
		"expires":  {Meaning: "End of the exception.", Wrong: "next year", Refused: "empty; no time of RFC 3339"},
		"approver": {Meaning: "Person who is responsible for it.", Wrong: "''", Refused: "empty"},
		"why":      {Meaning: "Reason, for those who read the findings.", Wrong: "''", Refused: "empty"},
	}
}

func (Learn) about() abouts {
	return abouts{
		"every": {Meaning: "Time between two rounds of learning.", Wrong: "10ns", Refused: "below 1s; above 87840h"},
		"quarantine": {Meaning: "Least time since a run was closed before it is learned from.", Wrong: "-1s",
			Refused: "below 0; window or more"},
		"window": {Meaning: "How far back runs are learned from.", Wrong: "0s",
			Refused: "below 1s; above 87840h; more than clickhouse.retention.calls"},
		"min_runs": {Meaning: "Clean runs of all agents together that a baseline needs. An agent is known from 20 of its own on.",
			Wrong: "0", Refused: "below 1"},
	}
}

func (Route) about() abouts {
	return abouts{
		"method": {Meaning: "HTTP method. Empty: all.", Form: "word such as GET"},
		"template": {Meaning: "Path with its parameters.", Form: "template such as /v1/orders/{id}", Wrong: "orders/{id}",
			Refused: "what does not begin with /"},
		"effect": {Meaning: "What a call does. Empty: from the method and the words of the path.",
			Form: "read, create, update, delete, pay, send or grant", Wrong: "explode", Refused: "other words"},
		"reversibility": {Meaning: "Whether a call can be undone. Empty: from the effect.",
			Form: "read_only, reversible, compensable or irreversible", Wrong: "never", Refused: "other words"},
		"resources": {Meaning: "Parameters that name resources.", Form: "list of PARAMETER:TYPE, such as order_id:order"},
		"tool":      {Meaning: "Name of a tool (MCP and similar protocols), instead of a template."},
		"amount": {Meaning: "Place of the amount of money.", Form: "arg:NAME, query:NAME, path:NAME, header:NAME or field:NAME",
			Wrong: "total", Refused: "other forms"},
		"currency": {Meaning: "Place of the currency, or a fixed one.", Form: "EUR, or as amount", Wrong: "euros", Refused: "other forms"},
		"compensated_by": {Meaning: "Route that undoes a call.", Form: "method and template such as POST /v1/orders/{id}/cancel",
			Wrong: "undo", Refused: "other forms; with tool"},
		"mcp": {Meaning: "The template is served by an MCP server.", Refused: "true with tool"},
		"openapi": {Meaning: "File with an OpenAPI 3 document, instead of the keys above.", Wrong: "/nowhere/openapi.yaml",
			Refused: "a file that cannot be read or is no OpenAPI document; with other keys than base"},
		"base": {Meaning: "Beginning of the document's paths. Empty: the path of its first server."},
	}
}

func (Agent) about() abouts {
	const one = "of two agents"
	return abouts{
		"id":         {Meaning: "Name of the agent. Several entries with one id are one agent.", Wrong: "''", Refused: "empty"},
		"credential": {Meaning: "Id of a credential, as flyball credential-id prints it.", Refused: one},
		"spiffe":     {Meaning: "SPIFFE id of its certificate.", Refused: one},
		"consumer":   {Meaning: "Name that the gateway gives it.", Refused: one},
		"owner":      {Meaning: "Who is responsible for it."},
		"tags":       {Meaning: "Tags, for policies, arming and routes of pages."},
		"criticality": {Meaning: "How critical its work is, for people and policies.", Form: "low, normal or high", Wrong: "urgent",
			Refused: "other words"},
	}
}
