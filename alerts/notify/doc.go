// Package notify delivers pages to receivers: signed webhooks after Standard
// Webhooks, and the Prometheus Alertmanager's API v2.
//
// It refuses to choose what a receiver gets, to retry by itself, and to follow redirects:
// a delivery ends in an acknowledgement, in an error after which it can be repeated, or in
// Refused.
package notify
