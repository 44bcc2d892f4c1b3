// Package notify delivers pages to receivers: signed webhooks, Alertmanager, e-mail and the services of alerts.receivers. Each kind of
// receiver is one file: the request that it gets, and what its answers mean.
//
// It does not choose which pages a receiver gets, does not retry, and does not follow redirects. A delivery ends with an acknowledgement,
// with an error after which the caller may retry, or with Refused.
package notify
