package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/interop"
)

var (
	stockTwice = flag.Bool("stock-twice", false, "compare the stock server with another one, which proves the normalising")
	recordDir  = flag.String("record", "", "`folder` to write the stock server's output of every step to, and this server's log")
)

// TestMeshctrl runs every command of the stock meshctrl.js against a stock server and against this one, and compares what
// it prints.
func TestMeshctrl(t *testing.T) {
	interop.Require(t, interop.PeerMeshCentral, interop.PeerAgent)
	peers := [2]*meshctrlPeer{stockPeer(t, "stock"), nil}
	if *stockTwice {
		peers[1] = stockPeer(t, "stock again")
	} else {
		peers[1] = ownPeer(t)
	}
	table := newCtlTable()
	for batch := range ctlBatches(ctlScenario()) {
		now := time.Now()
		var outcomes [2][]ctlOutcome
		var wg sync.WaitGroup
		for i, p := range peers {
			outcomes[i] = make([]ctlOutcome, len(batch))
			for j, s := range batch {
				if s.hook != nil {
					s.hook(p) // may end the test, so here
					continue
				}
				wg.Go(func() { outcomes[i][j] = p.do(t.Context(), s) })
			}
		}
		wg.Wait()
		for j, s := range batch {
			if s.hook == nil {
				table.compare(t, s, peers, [2]ctlOutcome{outcomes[0][j], outcomes[1][j]}, now)
			}
		}
	}
	table.report(t)
}

// stockSettings are those in which the two servers are compared. Groups without agents need a server that is not for the
// WAN alone; it shall nevertheless send nothing to the LAN. meshctrl webrelay ends a stock server without relayDNS. And the
// scenario logs in wrongly more often than is accepted otherwise.
var stockSettings = map[string]any{
	"wanonly": false, "meshScanner": false, "amtScanner": false, "amtManager": false, "relayDNS": []string{"localhost"},
	"maxInvalidLogin": map[string]any{"time": 10, "count": 1000, "coolofftime": 1},
}

func stockPeer(t *testing.T, name string) *meshctrlPeer {
	t.Helper()
	server := interop.StartServer(t, interop.ServerOptions{Settings: stockSettings})
	p := newMeshctrlPeer(t, name, server)
	p.stock = true
	p.addKeyLogins(loginKey(t, server.DataDir()))
	return p
}

// ownPeer is this server, on a data folder that a stock server has made: with the same accounts and settings.
func ownPeer(t *testing.T) *meshctrlPeer {
	t.Helper()
	stock := interop.StartServer(t, interop.ServerOptions{Settings: stockSettings})
	stock.Stop()
	s := startServer(t, stock.DataDir(), stock.Port(), "-core", interop.AgentsDir(t))
	if *recordDir != "" {
		t.Cleanup(func() {
			require.NoError(t, os.WriteFile(filepath.Join(*recordDir, "server.log"), []byte(s.Log()), 0o644))
		})
	}
	p := newMeshctrlPeer(t, "this server", stock)
	p.addKeyLogins(loginKey(t, stock.DataDir()))
	return p
}

func (p *meshctrlPeer) addKeyLogins(key string) {
	require.NoError(p.t, os.WriteFile(filepath.Join(p.dir, "key.txt"), []byte(key[:80]+"\n"+key[80:]+"\n"), 0o600))
	p.logins["key file"] = interop.MeshctrlClient{User: interop.User}
	p.logins["key"] = interop.MeshctrlClient{User: interop.User, LoginKey: key}
	p.logins["wrong key"] = interop.MeshctrlClient{User: interop.User, LoginKey: strings.Repeat("5a", 80)}
}

// ctlBatches yields steps that may run at once: those on which a server is silent, one after the other otherwise.
func ctlBatches(steps []ctlStep) func(func([]ctlStep) bool) {
	return func(yield func([]ctlStep) bool) {
		for len(steps) > 0 {
			n := 1
			for steps[0].mute && n < len(steps) && steps[n].mute {
				n++
			}
			if !yield(steps[:n]) {
				return
			}
			steps = steps[n:]
		}
	}
}

// ctlTable collects which steps agree.
type ctlTable struct {
	verbs    map[string]string // verb -> why it does not agree, or ""
	seen     map[string]int    // how often a step's name has come
	steps    int
	agreed   int
	excepted []string
	names    map[string]bool
}

func newCtlTable() *ctlTable {
	return &ctlTable{verbs: make(map[string]string), seen: make(map[string]int), names: make(map[string]bool)}
}

var fileName = regexp.MustCompile(`[^a-zA-Z0-9.-]+`)

func (c *ctlTable) compare(t *testing.T, s ctlStep, peers [2]*meshctrlPeer, got [2]ctlOutcome, now time.Time) {
	t.Helper()
	c.steps++
	name := s.name()
	c.seen[name]++
	if n := c.seen[name]; n > 1 {
		name += fmt.Sprintf(" #%d", n)
	}
	c.names[name] = true
	if _, ok := c.verbs[s.verb()]; !ok {
		c.verbs[s.verb()] = ""
	}
	var shown [2][]string
	for i, o := range got {
		n := newNormaliser(peers[i].ports, peers[i].vars)
		n.drop, n.empty = ctlKeysLeftOut[s.verb()], ctlEmptyLeftOut
		shown[i] = o.lines(n, s)
	}
	shown[0], shown[1] = agreeOnTimes(shown[0], shown[1], now)
	if *recordDir != "" {
		file := fmt.Sprintf("%03d-%.80s.txt", c.steps, fileName.ReplaceAllString(name, "-"))
		text := fmt.Sprintf("$ meshctrl %s\n%s\n--- normalised\n%s\n", name, got[0].printed, strings.Join(shown[0], "\n"))
		require.NoError(t, os.WriteFile(filepath.Join(*recordDir, file), []byte(text), 0o644))
	}
	if got[0].err == nil && got[0].silent != s.mute {
		t.Errorf("meshctrl %s: the stock server's silence is %v, expected was %v:\n%s", name, got[0].silent, s.mute, got[0].printed)
	}
	if slices.Equal(shown[0], shown[1]) && got[0].err == nil {
		c.agreed++
		return
	}
	if reason, ok := ctlLeftOut[name]; ok {
		c.excepted = append(c.excepted, name+": "+reason)
		return
	}
	c.verbs[s.verb()] = "differs"
	t.Errorf("meshctrl %s:\n%s", name, ctlDiff(peers[0].name, shown[0], peers[1].name, shown[1]))
}

// lines is all that a step did, normalised.
func (o ctlOutcome) lines(n normaliser, s ctlStep) []string {
	if o.err != nil {
		return []string{"{could not be run: " + o.err.Error() + "}"}
	}
	lines := n.output(o.printed, s.unsorted, s.dropped)
	if o.silent {
		lines = append(lines, "{silence}")
	}
	if o.code > 0 {
		lines = append(lines, fmt.Sprintf("{exit status %d}", o.code))
	}
	return lines
}

// report prints how many commands and steps agree.
func (c *ctlTable) report(t *testing.T) {
	t.Helper()
	var differing []string
	for verb, why := range c.verbs {
		if why != "" {
			differing = append(differing, verb)
		}
	}
	slices.Sort(differing)
	for verb, reason := range ctlVerbsLeftOut {
		require.NotContains(t, c.verbs, verb, "is left out and yet run")
		t.Logf("left out: %s: %s", verb, reason)
	}
	for name := range ctlLeftOut {
		if !c.names[name] {
			t.Errorf("the step %q, which may differ, is not in the scenario", name)
		}
	}
	for verb, keys := range ctlKeysLeftOut {
		for key, reason := range keys {
			t.Logf("not compared: %s of %s: %s", key, verb, reason)
		}
	}
	for key, reason := range ctlEmptyLeftOut {
		t.Logf("empty is as none: %s: %s", key, reason)
	}
	for _, text := range ctlTextsLeftOut {
		t.Logf("not compared: %q: %s", text.pattern, text.reason)
	}
	for _, e := range c.excepted {
		t.Logf("differs: %s", e)
	}
	t.Logf("%d of the %d commands of meshctrl agree, %d differ %v, %d are left out; %d of %d steps agree",
		len(c.verbs)-len(differing), ctlCommands, len(differing), differing, len(ctlVerbsLeftOut), c.agreed, c.steps)
	require.Equal(t, ctlCommands, len(c.verbs)+len(ctlVerbsLeftOut), "every command of meshctrl's help is run or left out")
}

// ctlDiff shows the lines that differ, each with a few around it.
func ctlDiff(nameA string, a []string, nameB string, b []string) string {
	// The longest common subsequence, between the common beginning and end.
	var common [][]int
	for range len(a) + 1 {
		common = append(common, make([]int, len(b)+1))
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	var lines []string
	for i, j := 0, 0; i < len(a) || j < len(b); {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			lines = append(lines, "  "+a[i])
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && common[i+1][j] >= common[i][j+1]:
			lines = append(lines, "- "+a[i])
			i++
		default:
			lines = append(lines, "+ "+b[j])
			j++
		}
	}
	const around, most = 2, 60
	shown := []string{"--- " + nameA, "+++ " + nameB}
	for i, line := range lines {
		near := lines[max(0, i-around):min(len(lines), i+around+1)]
		if slices.ContainsFunc(near, func(l string) bool { return l[0] != ' ' }) {
			if len(line) > 300 {
				line = line[:300] + "..."
			}
			shown = append(shown, line)
		}
	}
	if len(shown) > most {
		shown = append(shown[:most], fmt.Sprintf("... and %d lines more", len(shown)-most))
	}
	return strings.Join(shown, "\n")
}
