package layout

import (
	"bytes"
	"go/ast"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestNoInit: importing a package of the SDK does nothing.
func TestNoInit(t *testing.T) {
	for _, f := range goFiles(t) {
		if f.test || f.isExample() {
			continue
		}
		for _, decl := range f.syntax.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				t.Errorf("%s: an init function", f.fset.Position(fn.Pos()))
			}
		}
	}
}

// TestPackageComments: every package says what it is for.
func TestPackageComments(t *testing.T) {
	documented := make(map[string]bool)
	for _, f := range goFiles(t) {
		if !f.test {
			documented[f.folder] = documented[f.folder] || f.syntax.Doc != nil
		}
	}
	for folder, ok := range documented {
		if !ok {
			t.Errorf("the package in %s has no comment", folder)
		}
	}
}

// unfinished is what a comment says when something was put off.
var unfinished = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|HA` + `CK)\b`)

// TestNothingUnfinished: what is left to do is an issue, not a comment.
func TestNothingUnfinished(t *testing.T) {
	for _, f := range goFiles(t) {
		for _, group := range f.syntax.Comments {
			for _, comment := range group.List {
				if word := unfinished.FindString(comment.Text); word != "" {
					t.Errorf("%s: %s in a comment", f.fset.Position(comment.Pos()), word)
				}
			}
		}
	}
}

// somewhere is a path on the machine of whoever wrote a file: a home or work
// folder, or what lies beside the repository there.
var somewhere = regexp.MustCompile("(^|[\\s\"'`(=:,])(/(root|home|Users|work|workspace)/|(\\.\\./)*shared/)")

// TestNoMachinePaths: the text of the repository holds no path that exists on
// one machine only. Recordings in testdata may.
func TestNoMachinePaths(t *testing.T) {
	for _, name := range files(t) {
		if strings.Contains(name, "/testdata/") {
			continue
		}
		b, err := os.ReadFile(filepath.Join(root(t), filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.IndexByte(b, 0) >= 0 {
			continue // not text
		}
		for i, line := range strings.Split(string(b), "\n") {
			if path := somewhere.FindString(line); path != "" {
				t.Errorf("%s:%d: %q is a path of one machine", name, i+1, path)
			}
		}
	}
}

func TestSomewhere(t *testing.T) {
	for line, want := range map[string]bool{
		"see " + "/wo" + "rk/notes": true,
		`"` + "/ro" + "ot/go`":      true,
		"../sha" + "red/x.md":       true,
		"(sha" + "red/x.md)":        true,
		"https://example.com/work/": false,
		"/etc/nginx/":               false,
	} {
		if got := somewhere.MatchString(line); got != want {
			t.Errorf("somewhere matches %q: %v, want %v", line, got, want)
		}
	}
}
