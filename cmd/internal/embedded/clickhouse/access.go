package clickhouse

import (
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// rights are what a request may do.
type rights int

const (
	// analyst reads the databases of Options.Databases and harmless system tables. Nothing else: no write, no file, no other host, no
	// other database, no setting that lifts a limit.
	analyst rights = iota
	// writer may do everything that the engine can, with the rights of this process.
	writer
)

// accessFile is the engine's configuration in its data directory. It contains no secret.
const accessFile = "flyball-access.xml"

// writerRole is the role that holds all privileges. The engine knows only one user, which a connection cannot change; a session of an
// analyst therefore leaves this role before its statement.
const writerRole = "flyball_writer"

// writeAccess writes the engine's configuration and returns its path. The configuration is passed by name also because the engine would
// otherwise read a config.xml in the directory where it was started.
func (o Options) writeAccess() (string, error) {
	path := filepath.Join(o.Path, accessFile)
	if err := os.WriteFile(path, []byte(o.accessXML(path)), 0o600); err != nil {
		return "", fmt.Errorf("write the engine's access rules: %w", err)
	}
	return path, nil
}

// accessXML returns the rules: the user has the rights of an analyst, and those of the role until it leaves the role.
func (o Options) accessXML(path string) string {
	var b strings.Builder
	grant := func(what string) {
		b.WriteString("<query>GRANT ")
		_ = xml.EscapeText(&b, []byte(what))
		b.WriteString("</query>")
	}
	b.WriteString("<clickhouse>" + o.Config + "<users_config>") // of two elements of a name the first applies
	_ = xml.EscapeText(&b, []byte(path))
	b.WriteString("</users_config><profiles><default/></profiles><quotas><default/></quotas><roles><" + writerRole + "><grants>")
	grant("ALL ON *.* WITH GRANT OPTION")
	b.WriteString("</grants></" + writerRole + "></roles><users><default><password></password><networks><ip>::/0</ip></networks>" +
		"<profile>default</profile><quota>default</quota><grants>")
	for _, d := range o.Databases {
		name := d
		if d != "*" {
			name = quoteName(d)
		}
		grant("SELECT ON " + name + ".*")
	}
	grant("CREATE TEMPORARY TABLE ON *.*") // the engine wants it for numbers() and values(); readonly refuses the statement itself
	grant(writerRole)
	b.WriteString("</grants></default></users></clickhouse>\n")
	return b.String()
}
