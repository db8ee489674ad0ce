package nodeid_test

import (
	"encoding/pem"
	"fmt"
	"os"

	"github.com/meshcentral-go/sdk/nodeid"
)

// A device is named by the key in the certificate that its agent sends.
func ExampleFromCertificateDER() {
	b, err := os.ReadFile("testdata/agent-cert.pem")
	if err != nil {
		fmt.Println(err)
		return
	}
	block, _ := pem.Decode(b)
	id, err := nodeid.FromCertificateDER(block.Bytes)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(nodeid.NodeKey{Domain: "customer1", ID: id})
	// Output: node/customer1/wCZrd0MjQ$HjRjFLT9bu03s5WZBepQrGrOsYuL4Rn5n1YEu9NLcwmeSLVfHzuVii
}

// A group identifier from a .msh file, in the form of the database.
func ExampleParseMeshID() {
	id, err := nodeid.ParseMeshID("0x456B3CD97A4C92D35D49E3044830ED6E58BD5FBA3A4735C70935A04472890CC4DA399A3D50344AE29C458BF6CA9C45C4")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(nodeid.MeshKey{ID: id})
	// Output: mesh//RWs82XpMktNdSeMESDDtbli9X7o6RzXHCTWgRHKJDMTaOZo9UDRK4pxFi$bKnEXE
}

func ExampleParseNodeKey() {
	key, err := nodeid.ParseNodeKey("node/customer1/wCZrd0MjQ$HjRjFLT9bu03s5WZBepQrGrOsYuL4Rn5n1YEu9NLcwmeSLVfHzuVii")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(key.Domain)
	fmt.Println(string(key.ID.AppendEscaped(nil)))
	// Output:
	// customer1
	// wCZrd0MjQ%24HjRjFLT9bu03s5WZBepQrGrOsYuL4Rn5n1YEu9NLcwmeSLVfHzuVii
}

// A device that has only Intel AMT is named by its UUID.
func ExampleFromUUID() {
	uuid, err := nodeid.ParseUUID("00112233-4455-6677-8899-aabbccddeeff")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(nodeid.NodeKey{ID: nodeid.FromUUID(uuid)})
	// Output: node//ABEiM0RVZneImaq7zN3u$wARIjNEVWZ3iJmqu8zd7v8AESIzRFVmd4iZqrvM3e7$
}
