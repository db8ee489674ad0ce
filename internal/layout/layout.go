// Package layout holds the tests of what the repository promises about itself:
// which folders there are, which package may import which, and what source
// files do not contain. It has no code of its own.
package layout
