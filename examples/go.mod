module github.com/meshcentral-go/sdk/examples

go 1.26.0

require (
	github.com/meshcentral-go/sdk v0.0.0-00010101000000-000000000000
	github.com/stretchr/testify v1.12.1
)

require (
	github.com/gorilla/websocket v1.5.3 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/crypto v0.58.0 // indirect
)

replace github.com/meshcentral-go/sdk => ../
