package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/meshcentral-go/sdk/nodeid"
)

// welcome is what the server prints when it is ready: where it is, who may log in, how an agent gets there, and
// how an operator does.
func welcome(cfg config, address, mpsAddress, mshFile, mshPath string, serverID nodeid.ServerID, made *admin) string {
	var b strings.Builder
	base := "https://" + address
	fmt.Fprintf(&b, "MeshCentral Go server at %s, data in %s\n", base, cfg.Data)
	if made != nil {
		fmt.Fprintf(&b, "\nLog in as %s with the password %s (it is shown this once; -admin sets another)\n", made.Name, made.Password.Reveal())
	}
	curl := "curl"
	if cfg.WebCert == "" && cfg.CertURL == "" { // the certificate is of the data folder's root, which curl does not know
		curl += " --cacert '" + filepath.Join(cfg.Data, "root-cert-public.crt") + "'"
	}
	fmt.Fprintf(&b, `
Operators' control channel, for MeshCentral's meshctrl and package controlproto:
  wss://%s/control.ashx
Connect a native agent of MeshCentral, in a folder with its program as ./meshagent:
  %s -o meshagent.msh '%s' && chmod +x meshagent && ./meshagent
Connect the agent of this module:
  go run ./examples/agent -msh '%s'
List devices; it asks for the password:
  go run ./examples/meshctl listdevices --url wss://%s --server-id %s

`, address, curl, base+mshPath, mshFile, address, serverID.Hex())
	if mpsAddress != "" {
		fmt.Fprintf(&b, "Devices with Intel AMT call in at %s\n\n", mpsAddress)
	}
	return b.String()
}
