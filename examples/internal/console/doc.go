// Package console is what tools for the command line have in common: text of others that a terminal may see, and secrets that
// are asked for.
package console
