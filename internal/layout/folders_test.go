package layout

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The top of the repository. A new entry is a decision about the project.
var (
	folders  = []string{"agentproto", "controlproto", "mps", "apf", "wsman", "nodeid", "certs", "relay", "examples", "internal", "docs"}
	topFiles = []string{"README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "go.mod", "go.sum", "go.work", "go.work.sum"}
)

func TestTopLevel(t *testing.T) {
	for _, name := range files(t) {
		top, _, nested := strings.Cut(name, "/")
		switch {
		case strings.HasPrefix(top, "."):
		case nested && !slices.Contains(folders, top):
			t.Errorf("%s: the folder %s is not one of %v", name, top, folders)
		case !nested && !slices.Contains(topFiles, top):
			t.Errorf("the file %s does not belong at the top", name)
		}
	}
}

func TestLicense(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(root(t), "LICENSE"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Apache License", "Version 2.0, January 2004", "END OF TERMS AND CONDITIONS"} {
		if !strings.Contains(string(b), want) {
			t.Errorf("LICENSE lacks %q", want)
		}
	}
}

// TestGodebug: the programs and the tests speak TLS with every stock server, in the workspace and without.
func TestGodebug(t *testing.T) {
	for _, name := range []string{"go.mod", "go.work", "examples/go.mod"} {
		b, err := os.ReadFile(filepath.Join(root(t), name))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(b), "godebug x509negativeserial=1") {
			t.Errorf("%s does not allow certificates with a negative serial number", name)
		}
	}
}

// TestModuleRequirements keeps the SDK's own dependencies few: who imports it
// gets them all.
func TestModuleRequirements(t *testing.T) {
	permitted := []string{
		"github.com/gorilla/websocket",
		"golang.org/x/crypto",
		// In tests only, which the import test sees to.
		"github.com/stretchr/testify",
		"github.com/google/go-cmp",
	}
	out, err := exec.CommandContext(t.Context(), "go", "mod", "edit", "-json", filepath.Join(root(t), "go.mod")).Output()
	if err != nil {
		t.Fatal(err)
	}
	var mod struct {
		Module  struct{ Path string }
		Require []struct {
			Path     string
			Indirect bool
		}
		Replace []struct{ Old struct{ Path string } }
	}
	if err := json.Unmarshal(out, &mod); err != nil {
		t.Fatal(err)
	}
	if mod.Module.Path != modulePath {
		t.Errorf("the module is %s, want %s", mod.Module.Path, modulePath)
	}
	for _, r := range mod.Require {
		if !r.Indirect && !slices.Contains(permitted, r.Path) {
			t.Errorf("go.mod requires %s; the SDK may require %v", r.Path, permitted)
		}
	}
	for _, r := range mod.Replace {
		t.Errorf("go.mod replaces %s, which whoever imports the SDK does not see", r.Old.Path)
	}
}
