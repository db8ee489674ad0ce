// Package ptytest runs programs on terminals of their own, for tests. It is for Linux.
package ptytest
