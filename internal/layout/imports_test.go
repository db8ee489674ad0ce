package layout

import (
	"slices"
	"strconv"
	"strings"
	"testing"
)

// mayImport says which other packages of the SDK each package may import,
// itself and what is below it aside. It is the picture in docs/architecture.md:
// no protocol package imports another one's driver; where one needs another at
// run time it asks for an interface or a function.
var mayImport = map[string][]string{
	"nodeid":       {"internal"},
	"certs":        {"nodeid", "internal"},
	"agentproto":   {"nodeid", "certs", "internal"},
	"controlproto": {"nodeid", "internal"},
	"relay":        {"nodeid", "internal"},
	"apf":          {"internal"},
	"mps":          {"apf", "nodeid", "internal"},
	"wsman":        {"internal"},
	// The helpers of all packages know none of them; see also testOnly.
	"internal": {},
	"examples": {"nodeid", "certs", "agentproto", "controlproto", "relay", "apf", "mps", "wsman", "internal"},
}

// testsMayImport says what tests of a package may import besides: what has an interface that the package satisfies.
var testsMayImport = map[string][]string{
	"controlproto": {"relay"},                // its Client is a relay.Requester
	"wsman":        {"apf", "mps", "nodeid"}, // simulated AMT in simulated CIRA devices
}

// testOnly are helpers of tests: only test files and other test helpers import them.
var testOnly = []string{"internal/interop", "internal/leakcheck", "internal/layout", "internal/bench", "examples/agent/x11/x11test"}

// gorilla is hidden behind internal/msgconn, because it does not run in a
// browser and has no context.
const gorilla = "github.com/gorilla/websocket"

var gorillaUsers = []string{"internal/msgconn", "internal/interop", "examples"}

// inTestsOnly are modules that no program shall contain because of the SDK.
var inTestsOnly = []string{"github.com/stretchr/testify", "github.com/google/go-cmp"}

// standardOnly are the packages that need nothing but the standard library.
var standardOnly = []string{"nodeid", "apf"}

func TestImports(t *testing.T) {
	for _, f := range goFiles(t) {
		for _, spec := range f.syntax.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if why := forbidden(f, imported); why != "" {
				t.Errorf("%s imports %s: %s", f.fset.Position(spec.Pos()), imported, why)
			}
		}
	}
}

// forbidden returns why a file must not import a package, or nothing.
func forbidden(f goFile, imported string) string {
	if imported == "C" && !f.isExample() {
		return "the SDK is pure Go"
	}
	if ours, ok := strings.CutPrefix(imported, modulePath+"/"); ok {
		return forbiddenOurs(f, ours)
	}
	if first, _, _ := strings.Cut(imported, "/"); !strings.Contains(first, ".") {
		return "" // the standard library
	}
	if f.test || f.isExample() {
		return ""
	}
	from := func(tops []string) bool {
		return slices.ContainsFunc(tops, func(top string) bool { return under(f.folder, top) })
	}
	switch {
	case from(standardOnly):
		return "this package needs only the standard library"
	case under(imported, gorilla) && !from(gorillaUsers):
		return "only internal/msgconn speaks to the WebSocket library"
	case slices.ContainsFunc(inTestsOnly, func(m string) bool { return under(imported, m) }):
		return "for tests only"
	}
	return ""
}

func forbiddenOurs(f goFile, ours string) string {
	top, _, _ := strings.Cut(f.folder, "/")
	importedTop, _, _ := strings.Cut(ours, "/")
	switch {
	case importedTop == "examples" && !f.isExample():
		return "nothing imports the examples"
	case slices.Contains(testOnly, ours):
		if f.test || slices.Contains(testOnly, f.folder) {
			return ""
		}
		return "a helper of tests"
	case importedTop == top:
		return ""
	case f.test && top == "internal":
		// Tests of several packages together, such as those of internal/bench.
		return ""
	}
	allowed, known := mayImport[top]
	if !known {
		return "this folder is in no rule of this test"
	}
	if f.test && slices.Contains(testsMayImport[top], importedTop) {
		return ""
	}
	if !slices.Contains(allowed, importedTop) && !(f.test && importedTop == "internal") {
		return "allowed are " + strings.Join(allowed, " ") + "; ask for an interface or a function instead"
	}
	return ""
}

func TestForbidden(t *testing.T) {
	for _, c := range []struct {
		folder, imported string
		test, ok         bool
	}{
		{"nodeid", "crypto/sha512", false, true},
		{"nodeid", "golang.org/x/crypto/sha3", false, false},
		{"nodeid", modulePath + "/certs", false, false},
		{"certs", modulePath + "/nodeid", false, true},
		{"certs", "golang.org/x/crypto/pkcs12", false, true},
		{"agentproto", modulePath + "/internal/msgconn", false, true},
		{"agentproto", modulePath + "/internal/interop", false, false},
		{"agentproto", modulePath + "/internal/interop", true, true},
		{"nodeid", modulePath + "/internal/interop", true, true},
		{"agentproto", modulePath + "/relay", false, false},
		{"agentproto", gorilla, false, false},
		{"agentproto", gorilla, true, true},
		{"agentproto/agenttest", modulePath + "/agentproto", false, true},
		{"internal/msgconn", gorilla, false, true},
		{"internal/msgconn", modulePath + "/agentproto", false, false},
		{"internal/bench", modulePath + "/agentproto", true, true},
		{"mps", modulePath + "/apf", false, true},
		{"mps", modulePath + "/wsman", false, false},
		{"relay", modulePath + "/controlproto", false, false},
		{"relay", modulePath + "/examples/server", true, false},
		{"relay", "github.com/stretchr/testify/require", false, false},
		{"relay", "github.com/stretchr/testify/require", true, true},
		{"examples/server", "modernc.org/sqlite", false, true},
		{"examples/server", modulePath + "/examples/server/web", false, true},
		{"examples/server", modulePath + "/internal/interop", false, false},
		{"examples/server", modulePath + "/internal/interop", true, true},
		{"wsman", "C", false, false},
		{"invented", modulePath + "/nodeid", false, false},
	} {
		why := forbidden(goFile{folder: c.folder, test: c.test}, c.imported)
		if (why == "") != c.ok {
			t.Errorf("%s (test file: %v) imports %s: %q", c.folder, c.test, c.imported, why)
		}
	}
}
