// Command amtctl is an operator's tool for Intel AMT: inventory, power, boot, logs, accounts, serial over LAN, IDE redirection,
// activation and setup of one device, which is reached directly or through a MeshCentral server.
//
//	go run ./examples/amtctl info --host 192.0.2.9
//	go run ./examples/amtctl power reset --host 192.0.2.9 --tls --pin HASH
//	go run ./examples/amtctl sol --url wss://mesh.example.com --loginuser ann --device pc1
//
// It exits with 0 if all was done, 1 if the device or the server refused something or does not have it, 2 if the command line
// or a file is wrong, and 3 if the device was not reached or did not answer in time.
//
// How it is made, for who wants to make another tool of package wsman: run.go reads the command line, connect.go makes a client
// of flags and environment, server.go is the way through a server, errors.go turns errors into exit codes, output.go prints.
// All else are the commands, a file for each family.

// Devices and stock servers have certificates with serial numbers that crypto/tls refuses even where the certificate is pinned.
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
