package enginetest

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// Database creates a new database and drops it when the test ends. Its engine is Atomic, like the product's: the engine's default
// database does not support refreshable views.
func Database(t testing.TB, addr string) string {
	t.Helper()
	var b [6]byte
	_, _ = rand.Read(b[:])
	name := "test_" + hex.EncodeToString(b[:])
	if err := Exec(addr, "CREATE DATABASE "+name+" ENGINE = Atomic"); err != nil {
		t.Fatalf("create database: %v", err)
	}
	t.Cleanup(func() {
		if err := Exec(addr, "DROP DATABASE IF EXISTS "+name+" SYNC"); err != nil {
			t.Logf("drop database %s: %v", name, err)
		}
	})
	return name
}

// Exec runs one statement over plain HTTP without keeping the connection.
func Exec(addr, sql string) error {
	_, err := Query(addr, "", sql)
	return err
}

// Query runs one statement over plain HTTP in the named or the default database. It returns the body, which is TSV unless the statement
// names a format.
func Query(addr, database, sql string) (string, error) {
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{
		DisableKeepAlives: true, DialContext: (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
	}}
	u := "http://" + addr + "/"
	if database != "" {
		u += "?database=" + url.QueryEscape(database)
	}
	resp, err := client.Post(u, "text/plain", strings.NewReader(sql))
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s: %s", resp.Status, strings.TrimSpace(string(body)))
	}
	return string(body), nil
}
