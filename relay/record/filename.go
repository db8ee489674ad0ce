package record

import (
	"strings"
	"time"
)

// FileName is what a stock server names the recording of a tunnel: when it began, in UTC, the user's name, the device's
// and the id of the tunnel. Each is changed to be part of a file name on any system.
//
//	relaysession-2026-01-02-03-04-05-admin-d1-dn1is13t6aen.mcrec
//
// Confirmed in meshrelay.js, performRelay.
func FileName(start time.Time, domain, user, device, session string) string {
	var b strings.Builder
	b.WriteString("relaysession")
	for _, part := range []string{domain, start.UTC().Format("2006-01-02-15-04-05"), user, device, session} {
		if part == "" {
			continue
		}
		b.WriteByte('-')
		b.WriteString(fileText(part))
	}
	return b.String() + ".mcrec"
}

// fileText keeps letters, digits and a few signs, and not too much of them.
func fileText(s string) string {
	const most = 64
	kept := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune("-_@$.", r):
			return r
		}
		return '_'
	}, s)
	return kept[:min(len(kept), most)]
}
