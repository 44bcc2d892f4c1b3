package app

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"flyball/cmd/internal/config"
	"flyball/schema/identity"
)

// Keys are the HMAC keys of a deployment: the present one makes ids, receipts and links; former ones are still recognised, so that
// ids that were made with them go on to mean the same credential.
//
// The file has the present key in its first line, in hexadecimal. After a rotation it has two more kinds of lines:
//
//	deployment d_01020304              the id of the deployment, which stays
//	former HEX until 2026-11-30T…Z     a key that was replaced then, the latest first
type Keys struct {
	Current identity.Key
	Former  []FormerKey

	deployment string // of the file; empty: no key was replaced yet
}

// FormerKey is a key that was replaced.
type FormerKey struct {
	Key   identity.Key
	Until time.Time
}

// MaxFormerKeys bounds the former keys: each costs the check a hash for each credential of a request that it has not seen lately.
const MaxFormerKeys = 4

// minKeyBytes is the least length of a key.
const minKeyBytes = 16

// Deployment returns the id of the deployment. It stays the same when the key is replaced.
func (k Keys) Deployment() string {
	if k.deployment != "" {
		return k.deployment
	}
	return DeploymentID(k.Current)
}

// former returns the former keys without their dates.
func (k Keys) former() []identity.Key {
	var out []identity.Key
	for _, f := range k.Former {
		out = append(out, f.Key)
	}
	return out
}

// FormerBytes returns the former keys without their dates, as bytes.
func (k Keys) FormerBytes() [][]byte {
	var out [][]byte
	for _, f := range k.Former {
		out = append(out, f.Key)
	}
	return out
}

// FormerIdentity returns the former keys without their dates.
func (k Keys) FormerIdentity() []identity.Key { return k.former() }

// keyFile returns the file with the keys of a deployment.
func keyFile(c config.Config) string {
	if c.SecretKeyFile != "" {
		return c.SecretKeyFile
	}
	return filepath.Join(c.Data, "secret.key")
}

// ReadKeys reads the keys of the deployment. If create is set, it creates a missing key in the data folder.
func ReadKeys(c config.Config, create bool) (Keys, error) {
	path := keyFile(c)
	missing, err := readMissingKey(c)
	if err != nil {
		return Keys{}, err
	}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && create && missing != "" {
		return Keys{}, fmt.Errorf("secret_key_file: this deployment (%s) was restored without its key: put the key into %s, readable by its "+
			"owner alone; with another key no id of a credential would fit any more", missing, path)
	}
	if errors.Is(err, fs.ErrNotExist) && create && c.SecretKeyFile == "" {
		if b, err = newKeyLine(); err != nil {
			return Keys{}, err
		}
		if err := os.MkdirAll(c.Data, 0o700); err != nil {
			return Keys{}, err
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			return Keys{}, fmt.Errorf("make the deployment's key: %w", err)
		}
	} else if err != nil {
		return Keys{}, fmt.Errorf("secret_key_file: %w", err)
	}
	keys, err := parseKeys(b)
	if err != nil {
		return Keys{}, fmt.Errorf("secret_key_file: %s %w", path, err)
	}
	if id := keys.Deployment(); missing != "" && id != missing {
		return Keys{}, fmt.Errorf("secret_key_file: %s is the key of deployment %s, and what was restored is of %s; to start with it "+
			"nevertheless, remove %s", path, id, missing, filepath.Join(c.Data, "secret.key.missing"))
	}
	return keys, nil
}

func newKeyLine() ([]byte, error) {
	raw := make([]byte, 32)
	if _, err := rand.Read(raw); err != nil {
		return nil, err
	}
	return []byte(hex.EncodeToString(raw) + "\n"), nil
}

// parseKeys reads the lines of a file. Its errors contain nothing of them.
func parseKeys(text []byte) (k Keys, err error) {
	lines := bufio.NewScanner(bytes.NewReader(bytes.TrimSpace(text)))
	for n := 1; lines.Scan(); n++ {
		f := strings.Fields(lines.Text())
		switch {
		case n == 1:
			if len(f) != 1 {
				return k, errNoKey
			}
			if k.Current, err = parseKey(f[0]); err != nil {
				return k, err
			}
		case len(f) == 0:
		case len(f) == 2 && f[0] == "deployment" && strings.HasPrefix(f[1], "d_"):
			k.deployment = f[1]
		case len(f) == 4 && f[0] == "former" && f[2] == "until":
			key, err := parseKey(f[1])
			if err != nil {
				return k, fmt.Errorf("line %d: %w", n, err)
			}
			until, err := time.Parse(time.RFC3339, f[3])
			if err != nil {
				return k, fmt.Errorf("line %d: the date of a former key is not a time in RFC 3339", n)
			}
			k.Former = append(k.Former, FormerKey{key, until})
		default:
			return k, fmt.Errorf("line %d is none of KEY, deployment ID, former KEY until TIME; a newer version may have written it", n)
		}
	}
	if k.Current == nil {
		return k, errNoKey
	}
	if len(k.Former) > MaxFormerKeys {
		return k, fmt.Errorf("has %d former keys; at most %d: flyball key forget", len(k.Former), MaxFormerKeys)
	}
	return k, lines.Err()
}

var errNoKey = errors.New("must hold at least 16 bytes in hexadecimal, as openssl rand -hex 32 > FILE makes it")

func parseKey(text string) (identity.Key, error) {
	key, err := hex.DecodeString(text)
	if err != nil || len(key) < minKeyBytes {
		return nil, errNoKey
	}
	return key, nil
}

// RotateKey replaces the key of a deployment by a new one, and keeps the present one as a former key.
func RotateKey(c config.Config, now time.Time) (Keys, error) {
	keys, err := ReadKeys(c, false)
	if err != nil {
		return Keys{}, err
	}
	if len(keys.Former) == MaxFormerKeys {
		return Keys{}, fmt.Errorf("there are %d former keys, the most there may be: flyball key forget --before TIME removes old ones; ids made "+
			"with them are then no longer recognised", MaxFormerKeys)
	}
	line, err := newKeyLine()
	if err != nil {
		return Keys{}, err
	}
	keys.deployment = keys.Deployment()
	keys.Former = append([]FormerKey{{keys.Current, now.UTC().Truncate(time.Second)}}, keys.Former...)
	if keys.Current, err = parseKey(strings.TrimSpace(string(line))); err != nil {
		return Keys{}, err
	}
	return keys, keys.write(keyFile(c))
}

// ForgetKeys removes the former keys that were replaced before a time.
func ForgetKeys(c config.Config, before time.Time) (kept Keys, removed int, err error) {
	keys, err := ReadKeys(c, false)
	if err != nil {
		return Keys{}, 0, err
	}
	kept = keys
	kept.Former = nil
	for _, f := range keys.Former {
		if f.Until.Before(before) {
			removed++
			continue
		}
		kept.Former = append(kept.Former, f)
	}
	if removed == 0 {
		return kept, 0, nil
	}
	return kept, removed, kept.write(keyFile(c))
}

// write replaces the file, readable by its owner alone.
func (k Keys) write(path string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\ndeployment %s\n", hex.EncodeToString(k.Current), k.Deployment())
	for _, f := range k.Former {
		fmt.Fprintf(&b, "former %s until %s\n", hex.EncodeToString(f.Key), f.Until.UTC().Format(time.RFC3339))
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(b.String())
	err = errors.Join(err, f.Chmod(0o600), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	return err
}
