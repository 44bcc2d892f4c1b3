// Package notify delivers pages to receivers: by webhooks signed according to Standard Webhooks, and to the Prometheus Alertmanager's API
// v2.
//
// It does not choose which pages a receiver gets, does not retry, and does not follow redirects. A delivery ends with an acknowledgement,
// with an error after which the caller may retry, or with Refused.
package notify
