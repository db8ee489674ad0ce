package interop

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
)

// The account that every server has, a site administrator.
const (
	User     = "admin"
	Password = "Passw0rd!x"
)

// ports are those of one server.
type ports struct{ https, redirect, mps int }

// writeConfig writes config.json. Everything listens on loopback and nothing
// is fetched from elsewhere: no update check, no time stamp for the signature
// of agents.
func writeConfig(dataDir string, p ports, settings, domain map[string]any) error {
	s := map[string]any{
		"cert":                 "127.0.0.1",
		"wanonly":              true,
		"port":                 p.https,
		"portBind":             "127.0.0.1",
		"redirPort":            p.redirect,
		"redirPortBind":        "127.0.0.1",
		"mpsPort":              p.mps,
		"mpsPortBind":          "127.0.0.1",
		"exactPorts":           true,
		"selfUpdate":           false,
		"allowLoginToken":      true,
		"autoBackup":           false,
		"agentTimeStampServer": false,
		"filesPath":            filepath.Join(dataDir, "files"),
	}
	maps.Copy(s, settings)
	d := map[string]any{"newAccounts": true}
	maps.Copy(d, domain)
	b, err := json.MarshalIndent(map[string]any{
		"settings": s,
		"domains":  map[string]any{"": d},
	}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dataDir, "config.json"), b, 0o644)
}
