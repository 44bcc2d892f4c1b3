package app

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"strings"

	"flyball/alerts/sent"
	"flyball/cmd/internal/config"
	"flyball/detect/enforce/api"
	"flyball/schema"
	"flyball/schema/identity"
)

// minCheckToken is the minimum length of a token of gateways, in bytes.
const minCheckToken = 16

// Validate returns every error that would prevent the start of the roles: those of
// config.Validate, and errors in the files that the configuration names. check-config and the
// start of a role both call it. Without roles it checks the settings that all roles share. It
// opens files and makes no connection.
func Validate(c config.Config, roles ...string) error {
	if err := c.Validate(roles...); err != nil {
		return err
	}
	var errs []error
	check := func(err error) {
		known := func(e error) bool { return e.Error() == err.Error() } // several checks read the same file
		if err != nil && !slices.ContainsFunc(errs, known) {
			errs = append(errs, err)
		}
	}
	check(validateSecretKey(c))
	k, err := KafkaConfig(c)
	check(err)
	_, err = shipperLogin(c)
	check(err)
	_, err = clientTLS("kafka.tls", c.Kafka.TLS)
	check(err)
	db, err := OpenDatabase(c)
	if check(err); err == nil {
		check(db.Close())
	}
	if len(c.ClickHouse.Addr) == 0 {
		o, err := EngineOptions(c)
		if check(err); err == nil {
			check(o.Validate())
		}
	}
	_, err = clientTLS("siem.tls", c.SIEM.TLS)
	check(err)
	_, err = serverTLS(nil, "check.tls", c.Check.TLS)
	check(err)
	_, err = serverTLS(nil, "control.tls", c.Control.TLS)
	check(err)
	check(validateTokens(c))
	if len(roles) == 0 || slices.Contains(roles, "up") || slices.Contains(roles, "control") {
		check(validateOIDC(c))
	}
	if len(roles) == 0 || slices.Contains(roles, "up") || slices.Contains(roles, "alert") {
		for i := range c.Alerts.Receivers {
			_, err := NewReceiver(c, i, sent.Map{})
			check(err)
		}
	}
	_, err = Compensations(c)
	check(err)
	// Any key is sufficient here: only the registry, the routes, their documents and the inputs are checked.
	id, routes, err := NewClassifiers(c, make(identity.Key, sha256.Size))
	if check(err); err == nil {
		_, err = NewPipeline(c, id, routes)
		check(err)
	}
	if c.Canary.Interval > 0 {
		_, err = CanaryOptions(c, k, make(identity.Key, sha256.Size), slog.New(slog.DiscardHandler))
		check(err)
	}
	check(detectConfig(c).Validate())
	return errors.Join(errs...)
}

// validateSecretKey reads the key of the deployment. A key that is not there yet is no error if a start
// would create it.
func validateSecretKey(c config.Config) error {
	_, err := ReadSecretKey(c, false)
	if c.SecretKeyFile == "" && errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// validateTokens reads the tokens of all callers. Two equal tokens are an error: the role of a
// caller would depend on their order, and the audit trail would contain the wrong name.
func validateTokens(c config.Config) error {
	var errs []error
	seen := map[[sha256.Size]byte]string{}
	same := func(key string, hash [sha256.Size]byte) {
		if other, ok := seen[hash]; ok {
			errs = append(errs, fmt.Errorf("%s and %s hold the same token: each caller needs one of its own", other, key))
		}
		seen[hash] = key
	}
	checkToken, err := checkToken(c)
	if err != nil {
		errs = append(errs, err)
	} else if checkToken != "" {
		same("check.token_file", sha256.Sum256([]byte(checkToken)))
	}
	for i := range c.Control.Tokens {
		key, hash, err := tokenHash(c, i)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		same(key, hash)
	}
	return errors.Join(errs...)
}

// checkToken returns the token of gateways; empty if none is configured.
func checkToken(c config.Config) (schema.Secret, error) {
	if c.Check.TokenFile == "" {
		return "", nil
	}
	token, err := secretFile("check.token_file", c.Check.TokenFile)
	if err == nil && len(token) < minCheckToken {
		err = fmt.Errorf("check.token_file: %s holds %d characters; a token must have at least %d (flyball token makes one)",
			c.Check.TokenFile, len(token), minCheckToken)
	}
	if err == nil && strings.HasPrefix(token, api.HashPrefix) {
		err = fmt.Errorf("check.token_file: %s holds the hash of a token; it must hold the token itself", c.Check.TokenFile)
	}
	return schema.Secret(token), err
}

// tokenHash returns the hash of the token in control.tokens[i]; key is its name in the
// configuration.
func tokenHash(c config.Config, i int) (key string, hash [sha256.Size]byte, err error) {
	key = fmt.Sprintf("control.tokens[%d].value_file", i)
	file := string(c.Control.Tokens[i].Value)
	value, err := secretFile(key, file)
	if err != nil {
		return key, hash, err
	}
	if hash, err = api.ParseToken(value); err != nil {
		err = fmt.Errorf("%s: %s: %w", key, file, err)
	}
	return key, hash, err
}
