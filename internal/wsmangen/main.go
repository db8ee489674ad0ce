// Command wsmangen writes the class files of the packages wsman/amt, wsman/cim and wsman/ips from the tables in its folder
// tables. One table becomes one file: tables/amt/boot.txt becomes wsman/amt/boot_gen.go. It is run by go generate, and a test
// of it fails when what is committed is not what the tables say. The language of the tables is explained in
// tables/README.md.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

//go:generate go run . -out ../../wsman

func main() {
	out := flag.String("out", "../../wsman", "the folder of package wsman")
	flag.Parse()
	if err := run("tables", *out); err != nil {
		fmt.Fprintln(os.Stderr, "wsmangen:", err)
		os.Exit(1)
	}
}

// run writes all files, and removes the generated files that no table makes any more.
func run(tables, out string) error {
	files, err := generate(os.DirFS(tables))
	if err != nil {
		return err
	}
	old, err := filepath.Glob(filepath.Join(out, "*", "*"+generatedSuffix))
	if err != nil {
		return err
	}
	for _, name := range old {
		if err := os.Remove(name); err != nil {
			return err
		}
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(out, filepath.FromSlash(name)), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}
