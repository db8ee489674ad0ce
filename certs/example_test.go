package certs_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/meshcentral-go/sdk/certs"
	"github.com/meshcentral-go/sdk/certs/certstest"
	"github.com/meshcentral-go/sdk/nodeid"
)

// A data folder makes what is missing in it, once. The folder of a reference server is used as it is.
func ExampleFolder_LoadOrCreate() {
	dir, err := os.MkdirTemp("", "certs")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	folder := certs.Folder{
		Path: filepath.Join(dir, "meshcentral-data"),
		Config: certs.Config{
			Host:   "mesh.example.com",
			NewKey: certstest.NewKey, // in tests only: leave it out to have new keys
		},
	}
	for range 2 {
		set, err := folder.LoadOrCreate()
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(set.Web.CommonName(), set.Created)
	}
	// Output:
	// mesh.example.com [root-cert agentserver-cert webserver-cert mpsserver-cert codesign-cert]
	// mesh.example.com []
}

// An agent keeps its identity in a file.
func ExampleOpenAgentIdentity() {
	dir, err := os.MkdirTemp("", "certs")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "agent.pem")
	first, err := certs.OpenAgentIdentity(path, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	second, err := certs.OpenAgentIdentity(path, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(first.String() == second.String())
	// Output: true
}

// A server hands out the file that brings an agent into a group.
func ExampleNewMSH() {
	group, err := nodeid.ParseMeshID("RWs82XpMktNdSeMESDDtbli9X7o6RzXHCTWgRHKJDMTaOZo9UDRK4pxFi$bKnEXE")
	if err != nil {
		fmt.Println(err)
		return
	}
	server, err := certstest.ServerSet().ServerID()
	if err != nil {
		fmt.Println(err)
		return
	}
	msh, err := certs.NewMSH(certs.MSHConfig{
		MeshName: "Office",
		MeshID:   group,
		Servers:  []certs.MSHServer{{URL: "wss://mesh.example.com:443/agent.ashx", ID: server}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for key, value := range msh.All() {
		fmt.Println(key, value[:min(40, len(value))])
	}
	// Output:
	// MeshName Office
	// MeshType 2
	// MeshID 0x456B3CD97A4C92D35D49E3044830ED6E58BD5F
	// ServerID 3653126FABE0A1797D9A94961EDAAD4904F348AE
	// MeshServer wss://mesh.example.com:443/agent.ashx
}

func ExampleParseMSH() {
	const file = "\r\nMeshName=Office\r\nWebProxy=http://user:secret@proxy:3128\r\n# kept as it is\r\n"
	msh, err := certs.ParseMSH([]byte(file))
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := msh.Set("MeshName", "Laboratory"); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(msh) // has no secrets
	fmt.Println(strings.ReplaceAll(string(msh.AppendTo(nil)), "\r\n", "|"))
	// Output:
	// certs.MSH{"Laboratory"}
	// |MeshName=Laboratory|WebProxy=http://user:secret@proxy:3128|# kept as it is|
}
