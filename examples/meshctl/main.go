// Command meshctl is an operator's tool for MeshCentral servers: the verbs and flags of MeshCentral's own meshctrl.js, with tables
// for people, JSON and CSV for programs, profiles, shell completion, and exit codes that tell what happened.
//
//	go run ./examples/meshctl listdevices --url wss://mesh.example.com --loginuser ann
//	go run ./examples/meshctl runcommand --group lab --run "uptime" --reply
//	go run ./examples/meshctl help
//
// It exits with 0 if all was done, 1 if the server refused something or does not have it, 2 if the command line or a file of
// settings is wrong, and 3 if the server was not reached or did not answer in time.
//
// How it is made, for who wants to make another tool of package controlproto: run.go reads the command line and turns errors
// into exit codes, login.go makes credentials of flags, environment and profiles, resolve.go finds the ids of what is named,
// output.go prints. All else are the verbs, a file for each family.

// Some stock servers have a certificate with a negative serial number, because of the way they make them, and crypto/tls
// refuses those even where the certificate is pinned.
//
//go:debug x509negativeserial=1
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	// The first signal breaks off what is under way, the second ends the program at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], osSystem()))
}
