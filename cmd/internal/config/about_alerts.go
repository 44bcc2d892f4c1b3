package config

func (Alerts) about() abouts {
	return abouts{
		"receivers": {Meaning: "Destinations of pages. Without routes every receiver gets a page for every finding of level alert or " +
			"higher."},
		"routes":   {Meaning: "Which findings are sent to which receivers. The first that matches decides, unless it says continue."},
		"grouping": {Meaning: "Bounds of the incidents that are opened in a window."},
		"remind_after": {Meaning: "Pause before the first reminder of an open incident at level trip of which no breaker denies calls; " +
			"pauses double, up to a day. 0: none.",
			Wrong: "1s", Refused: "below 1m, except 0; above 168h"},
	}
}

func (Grouping) about() abouts {
	return abouts{
		"window": {Meaning: "Length of the window.", Wrong: "100ms", Refused: "below 1s; above 1h"},
		"agents": {Meaning: "Agents with an incident of their own; one incident of the tenant counts those after them.", Wrong: "0",
			Refused: "below 1"},
		"claimed": {Meaning: "The same for callers whose name is only claimed, or that have none.", Wrong: "0", Refused: "below 1"},
		"gates": {Meaning: "Calls that wait for approval and have a page of their own; one page counts those after them.", Wrong: "0",
			Refused: "below 1"},
	}
}

func (Receiver) about() abouts {
	return abouts{
		"name": {Meaning: "Name, part of a consumer group: a receiver with a new name is a new receiver.", Wrong: "A b",
			Refused: "other than a-z, 0-9, - and _; none; a name that is used twice"},
		"webhook":      {Meaning: "Signed requests, as Standard Webhooks specifies. Each receiver has exactly one kind."},
		"alertmanager": {Meaning: "Prometheus Alertmanager, API v2."},
		"pagerduty":    {Meaning: "A service of PagerDuty, Events API v2."},
		"slack": {Meaning: "A channel of Slack: by a bot's token (updates edit the message) or an incoming webhook (updates are " +
			"new messages)."},
		"teams":      {Meaning: "A workflow of Microsoft Teams that begins with a webhook."},
		"jsm":        {Meaning: "Jira Service Management, or another service with Opsgenie's Alert API."},
		"email":      {Meaning: "E-mail."},
		"incidentio": {Meaning: "An HTTP alert source of incident.io."},
		"oncall":     {Meaning: "A formatted webhook of Grafana OnCall or Grafana IRM."},
	}
}

const (
	secretURL   = "URL; it is a secret, and not shown"
	httpsAlone  = "no https URL (http for this machine)"
	unreadables = "empty; a file that cannot be read or is empty"
	nowhere     = "/nowhere/secret"
)

func (Webhook) about() abouts {
	return abouts{
		"url": {Meaning: "Address of the receiver.", Form: secretURL, Wrong: "hooks.example/x", Refused: "no http or https URL"},
		"secret_file": {Meaning: "File with the secret of signatures: whsec_ and base64 of 32 random bytes.", Wrong: nowhere,
			Refused: unreadables + "; no such secret"},
	}
}

func (Alertmanager) about() abouts {
	return abouts{"url": {Meaning: "Address of Alertmanager.", Form: "URL", Wrong: "'am:9093'", Refused: "no http or https URL"}}
}

func (PagerDuty) about() abouts {
	return abouts{
		"routing_key_file": {Meaning: "File with the integration key of the service.", Wrong: nowhere, Refused: unreadables},
		"url": {Meaning: "Address of the API. Empty: the service region US; EU is https://events.eu.pagerduty.com/v2/enqueue.",
			Form: "URL", Wrong: "http://pd.example", Refused: httpsAlone},
	}
}

func (Slack) about() abouts {
	return abouts{
		"token_file": {Meaning: "File with the token of a bot, xoxb-….", Wrong: nowhere,
			Refused: "a file that cannot be read or is empty; with url"},
		"channel": {Meaning: "Id or name of the channel, with token_file.", Wrong: "''", Refused: "empty with token_file; without it"},
		"api": {Meaning: "Address of the API, with token_file. Empty: https://slack.com/api.", Form: "URL",
			Wrong: "http://slack.example", Refused: httpsAlone},
		"url": {Meaning: "Address of an incoming webhook, without token_file.", Form: secretURL, Wrong: "http://slack.example",
			Refused: httpsAlone + "; with token_file"},
	}
}

func (Teams) about() abouts {
	return abouts{"url": {Meaning: "Address of the workflow.", Form: secretURL, Wrong: "http://flows.example", Refused: httpsAlone}}
}

func (JSM) about() abouts {
	return abouts{
		"key_file": {Meaning: "File with the key of an API integration.", Wrong: nowhere, Refused: unreadables},
		"url": {Meaning: "What stands before /v2/alerts. Empty: https://api.atlassian.com/jsm/ops/integration.", Form: "URL",
			Wrong: "http://jsm.example", Refused: httpsAlone},
	}
}

func (Email) about() abouts {
	return abouts{
		"server": {Meaning: "SMTP server.", Form: "host:port", Wrong: "smtp.example", Refused: "no host:port"},
		"tls": {Meaning: "How the connection is encrypted. Empty: starttls. none is for a server on this machine.",
			Form: "starttls, implicit or none", Wrong: "ssl", Refused: "other words; none for another machine"},
		"ca_file": {Meaning: "Certificates of authorities to trust. Empty: those of the system.", Wrong: "/nowhere/ca.pem",
			Refused: "a file that cannot be read or holds no certificate"},
		"user": {Meaning: "User of the login. Empty: no login.", Refused: "without password_file; with tls none"},
		"password_file": {Meaning: "File with the password of the user.", Wrong: nowhere,
			Refused: "a file that cannot be read or is empty; without user"},
		"from": {Meaning: "Sender.", Form: "address", Wrong: "''", Refused: "empty"},
		"to":   {Meaning: "Who gets the mails.", Form: "list of addresses", Wrong: "[]", Refused: "empty"},
	}
}

func (IncidentIO) about() abouts {
	return abouts{
		"url":        {Meaning: "Address of the alert source.", Form: secretURL, Wrong: "http://api.example", Refused: httpsAlone},
		"token_file": {Meaning: "File with the token of the alert source.", Wrong: nowhere, Refused: unreadables},
	}
}

func (OnCall) about() abouts {
	return abouts{"url": {Meaning: "Address of the webhook.", Form: secretURL, Wrong: "oncall.example/x", Refused: "no http or https URL"}}
}

func (AlertRoute) about() abouts {
	pattern := func(meaning string) About {
		return About{Meaning: meaning, Form: "list of names or patterns such as billing/*", Wrong: "['a[']",
			Refused: "empty patterns; no pattern"}
	}
	return abouts{
		"name":      {Meaning: "Name, for people."},
		"min_level": {Meaning: "Least level. Empty: alert.", Form: "alert or trip", Wrong: "page", Refused: "other words"},
		"families":  pattern("Families of findings. Empty: all."),
		"agents":    pattern("Agents. Empty: all."),
		"owners":    pattern("Owners in the registry, of agents with an established identity. Empty: all."),
		"tags":      pattern("Tags in the registry, of agents with an established identity. Empty: all."),
		"tenants":   pattern("Tenants. Empty: all."),
		"claimed": {Meaning: "Only callers whose name is only claimed (true) or only the others (false). Absent: both.",
			Refused: "true with owners or tags"},
		"hours": {Meaning: "Times of the week. Absent: always."},
		"receivers": {Meaning: "Who gets the pages; none: nobody.", Form: "list of names of alerts.receivers", Wrong: "[nosuch]",
			Refused: "empty; unknown names; none and others"},
		"continue": {Meaning: "The routes after it are tried, too."},
	}
}

func (AlertHours) about() abouts {
	return abouts{
		"zone": {Meaning: "Time zone. Empty: UTC.", Form: "name such as Europe/Berlin", Wrong: "Mars/Base", Refused: "unknown names"},
		"days": {Meaning: "Days of the week. Empty: every day.", Form: "list of names and ranges such as mon-fri", Wrong: "[moon]",
			Refused: "other words"},
		"from": {Meaning: "Beginning. Empty: the whole day.", Form: "time of the day such as 09:00", Wrong: "'25:00'",
			Refused: "without to; no time of a day"},
		"to": {Meaning: "End. Not after from: on the next day.", Form: "time of the day such as 17:00", Wrong: "'25:00'",
			Refused: "without from; no time of a day"},
	}
}
