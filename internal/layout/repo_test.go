package layout

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

const modulePath = "github.com/meshcentral-go/sdk"

// root returns the top folder of the repository.
func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "go.work")); err != nil {
		t.Skip("these tests look at the repository, not at the module alone")
	}
	return dir
}

// files lists what is in the repository or would be added to it, with slashes,
// relative to the top.
func files(t *testing.T) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	cmd.Dir = root(t)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		if _, statErr := os.Stat(filepath.Join(cmd.Dir, ".git")); statErr != nil {
			t.Skip("this is no git work tree")
		}
		t.Fatalf("git ls-files: %v: %s", err, &stderr)
	}
	var names []string
	for name := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		// A file that is deleted but not yet committed is still listed.
		if _, err := os.Lstat(filepath.Join(cmd.Dir, filepath.FromSlash(name))); err == nil {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		t.Fatal("git lists no files")
	}
	return names
}

// goFile is a parsed Go file of the repository.
type goFile struct {
	name   string // with slashes, relative to the top
	folder string // of the package: "" is the top
	test   bool
	fset   *token.FileSet
	syntax *ast.File
}

// goFiles parses the Go files of both modules, whatever system they are for.
func goFiles(t *testing.T) []goFile {
	t.Helper()
	var parsed []goFile
	for _, name := range files(t) {
		if path.Ext(name) != ".go" || strings.Contains(name, "/testdata/") {
			continue
		}
		f := goFile{name: name, test: strings.HasSuffix(name, "_test.go"), fset: token.NewFileSet()}
		if f.folder = path.Dir(name); f.folder == "." {
			f.folder = ""
		}
		source, err := os.ReadFile(filepath.Join(root(t), filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		if f.syntax, err = parser.ParseFile(f.fset, name, source, parser.ParseComments|parser.SkipObjectResolution); err != nil {
			t.Fatal(err)
		}
		parsed = append(parsed, f)
	}
	return parsed
}

// under says whether a folder is top or below it.
func under(folder, top string) bool {
	return folder == top || strings.HasPrefix(folder, top+"/")
}

// isExample says whether a file belongs to the module of the examples.
func (f goFile) isExample() bool { return under(f.folder, "examples") }
