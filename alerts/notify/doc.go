// Package notify delivers pages to receivers: signed webhooks after Standard
// Webhooks, and the Prometheus Alertmanager's API v2.
//
// It refuses to decide what is told to whom, to try again by itself, and to
// follow redirects: a delivery ends in an acknowledgement, in an error that
// passes, or in Refused.
package notify
