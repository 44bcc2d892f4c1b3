package config

import "slices"

// ForRoles returns the configuration without the secrets, tokens, certificates and listeners that none of the roles uses. One file can then
// configure every role, and a process of its own needs only the files of its role: the deployment's key is used by ingest, control and
// alert, and the control API and the check by control. up and no role use everything.
func (c Config) ForRoles(roles ...string) Config {
	uses := func(names ...string) bool {
		return slices.ContainsFunc(roles, func(r string) bool { return slices.Contains(names, r) })
	}
	if len(roles) == 0 || uses("up") {
		return c
	}
	unset := Default()
	if !uses("ingest", "control", "alert") {
		c.SecretKeyFile = unset.SecretKeyFile
	}
	if !uses("control") {
		c.Control.Listen, c.Control.TLS, c.Control.Tokens = unset.Control.Listen, unset.Control.TLS, unset.Control.Tokens
		c.Check = unset.Check
		c.Canary.Interval = unset.Canary.Interval
	}
	if !uses("alert") {
		c.SIEM.Syslog, c.SIEM.TLS = unset.SIEM.Syslog, unset.SIEM.TLS
	}
	return c
}
